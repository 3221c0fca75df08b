import { createServer, isIPv6, type Server, type Socket } from "node:net";
import type { ServerSettings } from "@homcc/config/settings";
import { describeError, HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";

/** The open ports of one homccd. */
export interface Listening {
  /** The same on every address. */
  readonly port: number;
  /** No more connections are taken; those that are there stay. */
  close(): void;
}

const bindHints: Readonly<Record<string, string>> = {
  EADDRINUSE: "is another homccd running? choose another port with --port",
  EACCES: "ports below 1024 need root; choose another one with --port",
};
const otherHint = "choose an address of this machine with --listen";

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
  return { port: chosenPort, close };
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
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("a server without a port");
  return address.port;
}
