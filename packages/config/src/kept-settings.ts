import type { ConfigurationFiles, FileReader, FileReading } from "./files.ts";

interface Kept<Settings> {
  readonly settings: Settings;
  readonly readings: ReadonlyMap<string, FileReading>;
}

/** More shells, folders and option lists than one build has. */
const maxKept = 256;

/** What was made of files and of a key that says everything else: the same again while each file that was read stays as it was. */
export class KeptSettings<Settings> {
  readonly #files: ConfigurationFiles;
  readonly #kept = new Map<string, Kept<Settings>>();

  constructor(files: ConfigurationFiles) {
    this.#files = files;
  }

  async of(key: string, make: (files: FileReader) => Promise<Settings>): Promise<Settings> {
    const known = this.#kept.get(key);
    if (known !== undefined && (await this.#isAsRead(known.readings))) return known.settings;
    const readings = new Map<string, FileReading>();
    const settings = await make({
      read: async (path) => {
        const reading = await this.#files.read(path);
        readings.set(path, reading);
        return reading;
      },
    });
    if (this.#kept.size >= maxKept) this.#kept.clear();
    this.#kept.set(key, { settings, readings });
    return settings;
  }

  /** A file is read again only when its stat changed, and then its reading is another object. */
  async #isAsRead(readings: ReadonlyMap<string, FileReading>): Promise<boolean> {
    for (const [path, reading] of readings) if ((await this.#files.read(path)) !== reading) return false;
    return true;
  }
}
