import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A line to a port of loopback that counts what goes there. */
export interface CountedLink extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as a line of the hosts file has it. */
  readonly address: string;
  /** Towards the port, of all connections so far. */
  readonly sentBytes: () => number;
  /** Ends what is open without a word; new connections are served. */
  cut(): void;
}

/** `port` is asked for each connection: a server that starts anew may have another one. */
export async function startCountedLink(port: () => number): Promise<CountedLink> {
  const sockets = new Set<Socket>();
  let sentBytes = 0;
  const server = createServer((client) => {
    const target = connect(port(), "127.0.0.1");
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => {}); // The other end is told by the end of this one.
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    client.on("data", (chunk) => {
      sentBytes += chunk.length;
    });
    client.pipe(target);
    target.pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const listening = server.address();
  if (listening === null || typeof listening === "string") throw new Error("no port");
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    address: `127.0.0.1:${listening.port}`,
    sentBytes: () => sentBytes,
    cut,
    [Symbol.asyncDispose]: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
