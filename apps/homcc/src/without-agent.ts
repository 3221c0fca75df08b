/** One call without an agent (`HOMCC_NO_AGENT`): the same work, in the launcher's own process. */
import type { LaunchCall } from "@homcc/launch/call";
import type { LaunchRequest, SupervisedEnd } from "@homcc/launch/messages";
import { clientLine, createLogger } from "@homcc/observability/log";
import { createServices } from "./agent-services.ts";
import { handleCall } from "./call.ts";
import { emit } from "./launcher/emit.ts";
import { notify } from "./launcher/notices.ts";
import { type LaunchEnd, runCompiler } from "./launcher/run-compiler.ts";
import { uncounted } from "./records/uncounted.ts";

/** Serves the call and resolves to how its launcher is to end. */
export async function callWithoutAgent(request: LaunchRequest): Promise<LaunchEnd> {
  const logger = createLogger("ERROR", clientLine, (line) => {
    void notify(request.environment, Buffer.from(line));
  });
  const services = await createServices(request.environment, logger, {
    idle: { idleTimeoutMs: 0 },
    logThreshold: { level: "ERROR" },
    statistics: uncounted,
    ownResults: undefined,
  });
  const call = new OwnCall(request);
  try {
    await handleCall(call, services);
    return call.end ?? (await call.supervise("", []));
  } finally {
    services.servers.close();
  }
}

/** A call whose launcher is this process: its descriptors, its children. */
class OwnCall implements LaunchCall {
  readonly request: LaunchRequest;
  /** Never aborted: a signal that ends the launcher ends everything. */
  readonly signal = new AbortController().signal;
  end: LaunchEnd | undefined;

  constructor(request: LaunchRequest) {
    this.request = request;
  }

  async stdout(bytes: Uint8Array): Promise<void> {
    await emit(1, bytes);
  }

  async stderr(bytes: Uint8Array): Promise<void> {
    await emit(2, bytes);
  }

  async notice(bytes: Uint8Array): Promise<void> {
    await notify(this.request.environment, bytes);
  }

  exit(status: number): void {
    this.end = { kind: "exit", status };
  }

  killedBy(signal: number): void {
    this.end = { kind: "signal", signal };
  }

  async execute(program: string, argv: readonly string[]): Promise<void> {
    this.end = await this.supervise(program, argv);
  }

  async supervise(program: string, argv: readonly string[]): Promise<SupervisedEnd> {
    const { compilerPath, argv: own, environment } = this.request;
    return argv.length === 0
      ? await runCompiler(compilerPath, own, environment)
      : await runCompiler(program, argv, environment);
  }

  /** Nothing was decided: the compiler runs here. */
  abandon(): void {}
}
