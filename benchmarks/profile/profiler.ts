import { Inspector } from "../../test/support/inspector.ts";
import { waitFor } from "../../test/support/wait-for.ts";

/** What V8 sampled: nodes are functions in their call stacks. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

interface Stopped {
  readonly profile?: CpuProfile;
}

/** The profiler of another Node process that was started with `--inspect`. */
export class Profiler {
  readonly #inspector: Inspector<Stopped>;

  private constructor(inspector: Inspector<Stopped>) {
    this.#inspector = inspector;
  }

  static async connect(port: number): Promise<Profiler> {
    const url = await waitFor(`an inspector at port ${port}`, async () => {
      const response = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => undefined);
      const targets: { readonly webSocketDebuggerUrl: string }[] = JSON.parse(
        (await response?.text()) ?? "[]",
      );
      return targets[0]?.webSocketDebuggerUrl;
    });
    return new Profiler(await Inspector.connect(url));
  }

  async start(): Promise<void> {
    await this.#inspector.ask("Profiler.enable");
    await this.#inspector.ask("Profiler.setSamplingInterval", { interval: 500 });
    await this.#inspector.ask("Profiler.start");
  }

  async stop(): Promise<CpuProfile> {
    const stopped = await this.#inspector.ask("Profiler.stop");
    this.#inspector[Symbol.dispose]();
    if (stopped?.profile === undefined) throw new Error("no profile");
    return stopped.profile;
  }
}
