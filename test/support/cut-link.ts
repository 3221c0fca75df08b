import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A line between a client and a port of loopback that drops as a test wants: by reset, without a goodbye. */
export interface CutLink extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as a line of the hosts file has it. */
  readonly address: string;
  /** Connections that were cut so far. */
  readonly cuts: () => number;
  /** Cuts what is open and refuses what comes. */
  down(): Promise<void>;
  /** Lets new connections through again. */
  up(): Promise<void>;
}

/** Whoever asks the kernel for any port gets one above these: while a line is down, no server of another test is behind its port. */
const firstPort = 10_000;
const firstEphemeralPort = 32_768;

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

/** `offsets`: after how many bytes, of both directions together, each next connection is cut; then none is. */
export async function startCutLink(port: number, offsets: readonly number[] = []): Promise<CutLink> {
  const sockets = new Set<Socket>();
  const left = [...offsets];
  let cuts = 0;
  let ownPort = 0;
  let server: Server | undefined;
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const join = (client: Socket): void => {
    const target = connect(port, "127.0.0.1");
    const both = [client, target] as const;
    const roomUntil = left.shift() ?? Infinity;
    let passedBytes = 0;
    const cut = (): void => {
      if (!sockets.has(client)) return;
      cuts += 1;
      for (const socket of both) socket.resetAndDestroy();
    };
    for (const [from, to] of [both, both.toReversed()] as const) {
      if (from === undefined || to === undefined) continue;
      sockets.add(from);
      from.on("error", () => {}); // The other end is told by the end of this one.
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("end", () => to.end());
      from.on("data", (chunk: Buffer) => {
        const passing = chunk.subarray(0, Math.max(0, roomUntil - passedBytes));
        passedBytes += passing.length;
        if (passing.length > 0) to.write(passing);
        // A turn later, so that what was passed is on its way.
        if (passing.length < chunk.length) setImmediate(cut);
      });
    }
  };
  const up = async (): Promise<void> => {
    const listening = createServer(join).listen(ownPort, "127.0.0.1");
    await once(listening, "listening");
    server = listening;
  };
  const down = async (): Promise<void> => {
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    server = undefined;
    reset();
    await closed;
  };
  for (;;) {
    ownPort = randomInt(firstPort, firstEphemeralPort);
    try {
      await up();
      break;
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }
  return { address: `127.0.0.1:${ownPort}`, cuts: () => cuts, up, down, [Symbol.asyncDispose]: down };
}
