/** What a job waits for before its server can begin. */
export interface PendingUpload {
  /** Host and port. */
  readonly server: string;
  readonly files: number;
  readonly sizeBytes: number;
}

/** Shorter waits go unnoticed among the jobs of a build. */
const slowAfterMs = 3_000;

/**
 * Says in one line that a job waits for an upload, if that takes so long that a user at a terminal wonders. A line that
 * is complete and stays, not one that is updated: the other jobs of a build write to the same terminal in between.
 */
export class UploadProgress implements Disposable {
  readonly #say: (text: string, server: string) => void;
  readonly #slowAfterMs: number;
  readonly #timers = new Set<NodeJS.Timeout>();

  /** `say` is called at most once for each upload, and never after the end of the upload or of this object. */
  constructor(say: (text: string, server: string) => void, options: { readonly slowAfterMs?: number } = {}) {
    this.#say = say;
    this.#slowAfterMs = options.slowAfterMs ?? slowAfterMs;
  }

  /** The upload lasts until the returned object is disposed. */
  began(upload: PendingUpload): Disposable {
    const timer = setTimeout(() => this.#say(describe(upload), upload.server), this.#slowAfterMs);
    this.#timers.add(timer);
    return {
      [Symbol.dispose]: () => {
        clearTimeout(timer);
        this.#timers.delete(timer);
      },
    };
  }

  /** A job that is given up does not wait for its uploads, which others may still need. */
  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

function describe({ server, files, sizeBytes }: PendingUpload): string {
  const count = files === 1 ? "1 file" : `${files} files`;
  return `Sending ${count} (${(sizeBytes / 1e6).toFixed(1)} MB) to ${server} …`;
}
