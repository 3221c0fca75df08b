import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from "node:net";
import type { ServerSettings } from "@homcc/config/settings";
import { describeError, HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";

/** The open ports of one homccd. */
export interface Listening {
  /** The same on every address. */
  readonly port: number;
  readonly addresses: readonly string[];
  /** No more connections are taken; those that are there stay. */
  close(): void;
}

const bindHints: Readonly<Record<string, string>> = {
  EADDRINUSE: "is another homccd running? choose another port with --port",
  EACCES: "ports below 1024 need root; choose another one with --port",
};
const otherHint = "choose an address of this machine with --listen";

/** The first socket that a service manager passes on, as sd_listen_fds(3) has it. */
const firstPassedSocket = 3;

/**
 * The number of sockets that a service manager has opened for this process and keeps open over its restarts. What says so is
 * taken out of `environment`: it is not for programs that this one starts.
 */
export function passedSockets(environment: NodeJS.ProcessEnv, pid = process.pid): number {
  const { LISTEN_PID: forPid, LISTEN_FDS: count } = environment;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete environment[name];
  return forPid === String(pid) && /^[1-9]\d{0,2}$/.test(count ?? "") ? Number(count) : 0;
}

/** Takes connections from sockets that listen already, the addresses and ports of which are the service manager's choice. */
export async function listenOnPassed(
  count: number,
  logger: Logger,
  onConnection: (socket: Socket) => void,
): Promise<Listening> {
  const servers: Server[] = [];
  for (let fd = firstPassedSocket; fd < firstPassedSocket + count; fd += 1) {
    const server = createServer({ pauseOnConnect: true }, onConnection);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", (cause) =>
      reject(
        new HomccError("ERR_HOMCC_BIND", `the socket ${fd} of the service manager cannot be used`, { cause }),
      ),
    );
    server.listen({ fd }, resolve);
    await promise;
    server.on("error", (error) => logger.error(describeError(error)));
    servers.push(server);
  }
  const [first] = servers;
  if (first === undefined) throw new Error("no passed sockets");
  return {
    port: portOf(first),
    addresses: servers.map(addressOf),
    close: () => {
      for (const server of servers) server.close();
    },
  };
}

/** Listens on every address, or on none: rejects with ERR_HOMCC_BIND, which names the address that cannot be had. */
export async function listenOn(
  { addresses, port }: Pick<ServerSettings, "addresses" | "port">,
  logger: Logger,
  onConnection: (socket: Socket) => void,
): Promise<Listening> {
  const servers: Server[] = [];
  const close = (): void => {
    for (const server of servers) server.close();
  };
  let chosenPort = port;
  try {
    for (const address of addresses) {
      // `::` takes the IPv4 addresses too unless it is told not to, and others of the list may be among those.
      const ipv6Only = isIPv6(address) && addresses.length > 1;
      const server = await listen({ host: address, port: chosenPort, ipv6Only }, onConnection);
      server.on("error", (error) => logger.error(describeError(error)));
      servers.push(server);
      chosenPort = portOf(server);
    }
  } catch (error) {
    close();
    throw error;
  }
  return { port: chosenPort, addresses, close };
}

async function listen(
  { host, port, ipv6Only }: { readonly host: string; readonly port: number; readonly ipv6Only: boolean },
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const server = createServer({ pauseOnConnect: true }, onConnection);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (cause: NodeJS.ErrnoException) => {
    const hint = bindHints[cause.code ?? ""] ?? otherHint;
    reject(new HomccError("ERR_HOMCC_BIND", `cannot listen on ${host} port ${port}`, { hint, cause }));
  });
  server.listen({ host, port, ipv6Only, backlog: 1024 }, resolve);
  await promise;
  return server;
}

function portOf(server: Server): number {
  return placeOf(server).port;
}

function addressOf(server: Server): string {
  return placeOf(server).address;
}

function placeOf(server: Server): AddressInfo {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("a server without a port");
  return address;
}
