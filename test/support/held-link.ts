import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export type Direction = "up" | "down";

export interface Cut {
  readonly direction: Direction;
  /** So many bytes pass before. */
  readonly afterBytes: number;
}

/** A line between a client and a port of loopback that stands still, or is cut, where a test wants. */
export interface HeldLink extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as a line of the hosts file has it. */
  readonly address: string;
  /** Bytes that went `up` (to the server) or `down` on all connections so far. */
  passed(direction: Direction): number;
  /** From now on only so many bytes more pass in that direction, then it stands still. */
  hold(direction: Direction, afterBytes: number): void;
  /** Bytes wait behind a hold. */
  isHeld(direction: Direction): boolean;
  /** Lets everything through again. */
  release(): void;
  /** Resets all connections when so many bytes have passed from now on; then the next of them counts from there. */
  cut(...cuts: readonly Cut[]): void;
  /** Cuts that were made so far. */
  cuts(): number;
}

interface Lane {
  passedBytes: number;
  room: number;
  /** What happens to the byte behind the room. */
  behind: "wait" | "cut";
  /** What goes on as soon as there is room. */
  readonly waiting: Set<() => void>;
}

export async function startHeldLink(port: number): Promise<HeldLink> {
  const lanes: Readonly<Record<Direction, Lane>> = { up: newLane(), down: newLane() };
  const sockets = new Set<Socket>();
  let due: readonly Cut[] = [];
  let cuts = 0;
  const arm = (): void => {
    const [next, ...rest] = due;
    due = rest;
    for (const lane of [lanes.up, lanes.down]) Object.assign(lane, { room: Infinity, behind: "wait" });
    if (next !== undefined) Object.assign(lanes[next.direction], { room: next.afterBytes, behind: "cut" });
  };
  const cutAll = (): void => {
    cuts += 1;
    const all = [...sockets];
    arm();
    // A turn later, so that what was passed is on its way.
    setImmediate(() => {
      for (const socket of all) socket.resetAndDestroy();
    });
  };
  const server = createServer((client) => {
    const target = connect(port, "127.0.0.1");
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => {}); // The other end is told by the end of this one.
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    forward(client, target, lanes.up, cutAll);
    forward(target, client, lanes.down, cutAll);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const listening = server.address();
  if (listening === null || typeof listening === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${listening.port}`,
    passed: (direction) => lanes[direction].passedBytes,
    hold: (direction, afterBytes) => {
      lanes[direction].room = afterBytes;
    },
    isHeld: (direction) => lanes[direction].waiting.size > 0,
    release: () => {
      for (const lane of [lanes.up, lanes.down]) {
        lane.room = Infinity;
        for (const goOn of lane.waiting) goOn();
        lane.waiting.clear();
      }
    },
    cut: (...wanted) => {
      due = wanted;
      arm();
    },
    cuts: () => cuts,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function newLane(): Lane {
  return { passedBytes: 0, room: Infinity, behind: "wait", waiting: new Set() };
}

function forward(from: Socket, to: Socket, lane: Lane, cutAll: () => void): void {
  const pass = (chunk: Buffer): void => {
    const part = chunk.subarray(0, lane.room);
    lane.room -= part.length;
    lane.passedBytes += part.length;
    if (part.length > 0) to.write(part);
    if (part.length === chunk.length) return;
    from.pause();
    if (lane.behind === "cut") {
      cutAll();
      return;
    }
    const goOn = (): void => {
      pass(chunk.subarray(part.length));
      from.resume();
    };
    lane.waiting.add(goOn);
    from.once("close", () => lane.waiting.delete(goOn));
  };
  from.on("data", pass);
  from.on("end", () => to.end());
}
