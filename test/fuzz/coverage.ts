import { Session, type Profiler } from "node:inspector/promises";

/**
 * Which characters of homcc's own source ran, as V8 counts them. Taking the counts costs some 2 ms, so it is done for a
 * batch of inputs; only of a batch that reached something new the halves are run again.
 */
export class Coverage {
  readonly #session = new Session();
  /** By script: 1 for a character that ran. */
  readonly #executed = new Map<string, Uint8Array>();

  private constructor() {
    this.#session.connect();
  }

  static async start(): Promise<Coverage> {
    const coverage = new Coverage();
    await coverage.#session.post("Profiler.enable");
    await coverage.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    return coverage;
  }

  /** Characters that ran so far. */
  get reachedCharacters(): number {
    return [...this.#executed.values()].reduce(
      (sum, marks) => sum + marks.reduce((count, mark) => count + mark, 0),
      0,
    );
  }

  /** How much ran since the last call and never before. Remembers it if it is told to. */
  async reached(remember: boolean): Promise<number> {
    const { result } = await this.#session.post("Profiler.takePreciseCoverage");
    let fresh = 0;
    for (const { url, functions } of result.filter((script) => isOwnSource(script.url)))
      for (const one of functions) fresh += this.#take(url, one, remember);
    return fresh;
  }

  close(): void {
    this.#session.disconnect();
  }

  #take(url: string, { ranges }: Profiler.FunctionCoverage, remember: boolean): number {
    const [whole] = ranges;
    if (whole === undefined || whole.count === 0) return 0;
    // Blocks inside of others come after them, and only where their count is another one.
    const ran = new Uint8Array(whole.endOffset - whole.startOffset);
    for (const { startOffset, endOffset, count } of ranges)
      ran.fill(Math.min(count, 1), startOffset - whole.startOffset, endOffset - whole.startOffset);
    const marks = this.#marks(url, whole.endOffset);
    let fresh = 0;
    for (const [at, mark] of ran.entries()) {
      if (mark === 0 || marks[whole.startOffset + at] === 1) continue;
      fresh++;
      if (remember) marks[whole.startOffset + at] = 1;
    }
    return fresh;
  }

  #marks(url: string, length: number): Uint8Array {
    const known = this.#executed.get(url);
    if (known !== undefined && known.length >= length) return known;
    const marks = new Uint8Array(Math.max(length, 2 * (known?.length ?? 0)));
    if (known !== undefined) marks.set(known);
    this.#executed.set(url, marks);
    return marks;
  }
}

function isOwnSource(url: string): boolean {
  return /\/(?:packages|apps)\/[^/]+\/src\//.test(url);
}
