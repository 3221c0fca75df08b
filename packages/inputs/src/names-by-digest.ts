import type { Digest } from "@homcc/cas/digest";
import { IncludeLexer } from "@homcc/compiler/include-lexer";
import { type IncludeNames, type MacroFocus, noFocus } from "@homcc/compiler/include-names";
import type { FileDigests, FileRecord } from "./file-digests.ts";
import type { Pace } from "./pace.ts";

/** At 100 MB/s, 3 ms. */
const stepBytes = 300 << 10;
/** A header has about 1 kB of names. */
const maxKnown = 30_000;

/** Names that files may make the compiler look for; each content is read by the lexer once. */
export class NamesByDigest {
  readonly #digests: FileDigests;
  readonly #known = new Map<Digest, IncludeNames>();

  constructor(digests: FileDigests) {
    this.#digests = digests;
  }

  /** Of a content that was read before and is not forgotten. */
  known(digest: Digest): IncludeNames | undefined {
    return this.#known.get(digest);
  }

  /** `undefined` when the file vanished or changed: its names are not those of the record. */
  async of({ entry }: FileRecord, pace: Pace): Promise<IncludeNames | undefined> {
    const known = this.#known.get(entry.digest);
    if (known !== undefined) {
      this.#known.delete(entry.digest);
      this.#known.set(entry.digest, known);
      return known;
    }
    const file = await this.#digests.read(entry);
    if (file?.record.entry.digest !== entry.digest) return undefined;
    return this.#remember(entry.digest, await lex(file.bytes, noFocus, pace));
  }

  /** The same with an eye to these macros; read anew, because few files mention any of them. */
  async focused({ entry }: FileRecord, focus: MacroFocus, pace: Pace): Promise<IncludeNames | undefined> {
    const file = await this.#digests.read(entry);
    if (file?.record.entry.digest !== entry.digest) return undefined;
    const text = Buffer.from(file.bytes.buffer, file.bytes.byteOffset, file.bytes.byteLength);
    const macros = [...focus.asking.keys(), ...focus.operands];
    if (macros.some((macro) => text.includes(macro))) return lex(file.bytes, focus, pace);
    if (pace.due()) await pace.pause();
    return this.#known.get(entry.digest) ?? lex(file.bytes, focus, pace);
  }

  #remember(digest: Digest, names: IncludeNames): IncludeNames {
    this.#known.set(digest, names);
    if (this.#known.size > maxKnown) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    return names;
  }
}

async function lex(bytes: Uint8Array, focus: MacroFocus, pace: Pace): Promise<IncludeNames> {
  const lexer = new IncludeLexer(bytes, focus);
  while (lexer.advance(stepBytes)) if (pace.due()) await pace.pause();
  return lexer.names();
}
