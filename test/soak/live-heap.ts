import { Inspector } from "../support/inspector.ts";
import { waitFor } from "../support/wait-for.ts";

interface HeapUsage {
  readonly usedSize?: number;
  readonly backingStorageSize?: number;
}

/**
 * What a Node process holds in memory, garbage collected: its resident size depends on when it last was. The process was
 * started with `--inspect` and says on standard error where it listens.
 */
export class LiveHeap implements Disposable {
  readonly #inspector: Inspector<HeapUsage>;

  private constructor(inspector: Inspector<HeapUsage>) {
    this.#inspector = inspector;
  }

  /** `log` gives what the process has printed so far. */
  static async of(process: { log(): string }): Promise<LiveHeap> {
    const url = await waitFor(
      "an inspector",
      () => /Debugger listening on (ws:\S+)/.exec(process.log())?.[1],
    );
    return new LiveHeap(await Inspector.connect(url));
  }

  /** MiB of objects and buffers; `undefined` when the process is gone. */
  async measure(): Promise<number | undefined> {
    await this.#inspector.ask("HeapProfiler.collectGarbage");
    const usage = await this.#inspector.ask("Runtime.getHeapUsage");
    if (usage?.usedSize === undefined) return undefined;
    return (usage.usedSize + (usage.backingStorageSize ?? 0)) / 2 ** 20;
  }

  [Symbol.dispose](): void {
    this.#inspector[Symbol.dispose]();
  }
}
