import type { InputEntry } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import { Fingerprints } from "@homcc/cas/fingerprints";
import { HomccError } from "@homcc/observability/error";
import { maxDeclaredEntries, maxJobEntries, maxSessionEntries, maxSessionPathCharacters } from "./limits.ts";
import { EntryBudget } from "./entry-budget.ts";
import type { JobMessage, SessionEntry } from "./messages.ts";
import { isSame, type NumberedEntry, NumberedEntries } from "./numbered-entries.ts";

/** The part of a job message that says which files it sees. */
export type CodedEntries = Pick<JobMessage, "declareFrom" | "declare" | "inputs">;

/**
 * The client's end of the session's numbers: each input entry and each absent path travels once per connection and is
 * a number afterwards. Keeps the newest entry of a path; a file that changes gets a new number.
 */
export class EntryNumbering {
  readonly #numbered: NumberedEntries;
  readonly #digests = new Fingerprints();
  /** Of lists that were coded before: their numbers, and how many there were then. */
  readonly #coded = new WeakMap<
    readonly InputEntry[],
    { readonly count: number; readonly inputs: number[] }
  >();
  #count = 0;
  #pathCharacters = 0;

  /** `maxRecent`: entries that are kept as they are. */
  constructor(maxRecent?: number) {
    this.#numbered = new NumberedEntries(maxRecent);
  }

  /** Numbers handed out. */
  get count(): number {
    return this.#count;
  }

  /** Whether the server has heard of a file with these contents on this connection, and so has it as a rule. */
  isNamed(digest: Digest): boolean {
    return this.#digests.has(digest);
  }

  /** From 0 to 1: how much of what a session may have is used up. Before 1 a new connection is due. */
  get usedShare(): number {
    return Math.max(this.#count / maxSessionEntries, this.#pathCharacters / maxSessionPathCharacters);
  }

  /**
   * Codes the files of one job and hands them to `send`, which must put the job on the wire before it returns. When it
   * throws, or the session or job is full (ERR_HOMCC_PROTOCOL), the numbers are not taken: the server never saw them.
   * `edited`: files that this connection knew with other contents, and whose contents are news to it.
   *
   * `inputs` must not change afterwards. The same list again stands for the same files and absent paths: while no number
   * was handed out since, it is not gone through, which takes 0.5 ms for 350 files.
   */
  encode(
    inputs: readonly InputEntry[],
    absent: () => Iterable<string>,
    send: (coded: CodedEntries, edited: readonly FileEntry[]) => void,
  ): void {
    const coded = this.#coded.get(inputs);
    if (coded?.count === this.#count) {
      send({ declareFrom: this.#count, declare: [], inputs: coded.inputs }, []);
      return;
    }
    const added = new Map<string, { readonly entry: NumberedEntry; readonly number: number }>();
    const declare: SessionEntry[] = [];
    const edited: FileEntry[] = [];
    const numbers: number[] = [];
    let pathCharacters = this.#pathCharacters;

    const number = (entry: NumberedEntry): void => {
      const first = added.get(entry.path);
      const isRepeated = first !== undefined && isSame(first.entry, entry);
      const known = isRepeated ? first.number : this.#numbered.numberOf(entry);
      if (known !== undefined) {
        numbers.push(known);
        return;
      }
      const next = { entry, number: this.#count + declare.length };
      added.set(entry.path, next);
      if (entry.kind === "file" && this.#numbered.hasFile(entry.path) && !this.#digests.has(entry.digest))
        edited.push(entry);
      declare.push(toSessionEntry(entry));
      numbers.push(next.number);
      pathCharacters += pathCharactersOf(entry);
      if (declare.length > maxDeclaredEntries)
        throw full(`a job declares at most ${maxDeclaredEntries} new files`);
    };
    for (const entry of inputs) number(entry);
    for (const path of absent()) number({ kind: "absent", path });

    if (numbers.length > maxJobEntries) throw full(`a job names at most ${maxJobEntries} files`);
    checkSession(this.#count + declare.length, pathCharacters);
    const differences = toDifferences(numbers);
    send({ declareFrom: this.#count, declare, inputs: differences }, edited);
    for (const { entry, number: taken } of added.values()) {
      this.#numbered.set(entry, taken);
      if (entry.kind === "file") this.#digests.add(entry.digest);
    }
    this.#count += declare.length;
    this.#pathCharacters = pathCharacters;
    this.#coded.set(inputs, { count: this.#count, inputs: differences });
  }
}

/** The server's end: what the numbers of one connection stand for. */
export class EntryTable {
  readonly #entries: NumberedEntry[] = [];
  readonly #budget: EntryBudget;
  #takenBytes = 0;
  #pathCharacters = 0;

  /** `budget` is shared with the tables of other connections. */
  constructor(budget: EntryBudget = new EntryBudget(Infinity)) {
    this.#budget = budget;
  }

  get count(): number {
    return this.#entries.length;
  }

  /**
   * Takes in what the job declares and gives the files it names, in the order of their numbers. Call it once per job
   * message, in the order of arrival. Throws ERR_HOMCC_PROTOCOL, after which the connection is of no use.
   */
  resolve(job: CodedEntries): { readonly inputs: InputEntry[]; readonly absent: string[] } {
    if (job.declareFrom !== this.#entries.length) {
      throw new HomccError(
        "ERR_HOMCC_PROTOCOL",
        `job.declareFrom is ${job.declareFrom}, but ${this.#entries.length} entries were declared`,
      );
    }
    let pathCharacters = this.#pathCharacters;
    for (const entry of job.declare) pathCharacters += pathCharactersOf(entry);
    checkSession(this.#entries.length + job.declare.length, pathCharacters);
    this.#takenBytes += this.#budget.take(job.declare);
    this.#pathCharacters = pathCharacters;
    for (const entry of job.declare) this.#entries.push(fromSessionEntry(entry));

    const inputs: InputEntry[] = [];
    const absent: string[] = [];
    for (const number of fromDifferences(job.inputs)) {
      const entry = this.#entries[number];
      if (entry === undefined) {
        throw new HomccError(
          "ERR_HOMCC_PROTOCOL",
          `job.inputs names entry ${number} of ${this.#entries.length}`,
        );
      }
      if (entry.kind === "absent") absent.push(entry.path);
      else inputs.push(entry);
    }
    return { inputs, absent };
  }

  /** When the connection has ended; the numbers mean nothing any more. */
  release(): void {
    this.#budget.giveBack(this.#takenBytes);
    this.#takenBytes = 0;
    this.#entries.length = 0;
  }
}

/** Ascending numbers without repetition, the first as it is, then the differences: mostly ones, which zstd likes. */
export function toDifferences(numbers: readonly number[]): number[] {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  return sorted.map((number, index) => number - (sorted[index - 1] ?? 0));
}

/** The numbers again. Throws ERR_HOMCC_PROTOCOL on a difference of 0, which would name a file twice. */
export function fromDifferences(differences: readonly number[]): number[] {
  let current = 0;
  return differences.map((difference, index) => {
    if (index > 0 && difference < 1) {
      throw new HomccError("ERR_HOMCC_PROTOCOL", `job.inputs[${index}]: a difference of ${difference}`);
    }
    current += difference;
    return current;
  });
}

type FileEntry = Extract<InputEntry, { readonly kind: "file" }>;
function toSessionEntry(entry: NumberedEntry): SessionEntry {
  return entry.kind === "file" ? { ...entry, mtimeNs: entry.mtimeNs.toString() } : entry;
}

function fromSessionEntry(entry: SessionEntry): NumberedEntry {
  return entry.kind === "file" ? { ...entry, mtimeNs: BigInt(entry.mtimeNs) } : entry;
}

function pathCharactersOf(entry: SessionEntry | NumberedEntry): number {
  return entry.path.length + (entry.kind === "symlink" ? entry.target.length : 0);
}

function checkSession(count: number, pathCharacters: number): void {
  if (count > maxSessionEntries) throw full(`a session has at most ${maxSessionEntries} files`);
  if (pathCharacters > maxSessionPathCharacters) {
    throw full(`the paths of a session have at most ${maxSessionPathCharacters} characters`);
  }
}

function full(message: string): HomccError {
  return new HomccError("ERR_HOMCC_PROTOCOL", message, {
    hint: "a new connection starts with an empty table",
  });
}
