import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Direction, type DirectionCounters, type DirectionSettings, handshakeBytes } from "./direction.ts";
import { Flow } from "./flow.ts";
import { Schedule } from "./schedule.ts";

export interface LinkSettings {
  /** From the client to the server. */
  readonly up: DirectionSettings;
  readonly down: DirectionSettings;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface LinkCounters {
  readonly up: DirectionCounters;
  readonly down: DirectionCounters;
  readonly connections: number;
}

export interface Route {
  readonly listen: Address;
  readonly target: Address;
}

export interface LinkProxy {
  /** In the order of the routes. */
  readonly ports: readonly number[];
  counters(): LinkCounters;
}

/** Accepts connections of each route and carries them to its target over one link that all of them share. */
export async function startProxy(routes: readonly Route[], settings: LinkSettings): Promise<LinkProxy> {
  const schedule = new Schedule();
  const random = createRandom();
  const up = new Direction(settings.up, schedule, random);
  const down = new Direction(settings.down, schedule, random);
  let connections = 0;
  const serve = async ({ listen, target }: Route): Promise<number> => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      connections += 1;
      join(client, target, { up, down }, schedule);
    });
    server.listen(listen.port, listen.host);
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return address.port;
  };
  return {
    ports: await Promise.all(routes.map(serve)),
    counters: () => ({ up: up.counters, down: down.counters, connections }),
  };
}

/** The client's connect has succeeded at once, but what it says counts as said a round trip later. */
function join(
  client: Socket,
  target: Address,
  { up, down }: { readonly up: Direction; readonly down: Direction },
  schedule: Schedule,
): void {
  const reachesServerMs = up.occupy(handshakeBytes) + up.settings.delayMs;
  const server = connect({ ...target, allowHalfOpen: true, noDelay: true });
  down.occupy(handshakeBytes);
  const opensAtMs = reachesServerMs + down.settings.delayMs;
  const toServer = new Flow({ from: client, to: server, opensAtMs }, up, down, schedule);
  const toClient = new Flow({ from: server, to: client, opensAtMs: reachesServerMs }, down, up, schedule);
  void [toServer, toClient];
  for (const [socket, other, delayMs] of [
    [client, server, up.settings.delayMs],
    [server, client, down.settings.delayMs],
  ] as const) {
    // A reset crosses the link too; an orderly end has already ended the other side.
    socket.on("error", () => schedule.at(performance.now() + delayMs, () => other.destroy()));
  }
}

/** Which segments are lost is the same in each run. */
function createRandom(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
