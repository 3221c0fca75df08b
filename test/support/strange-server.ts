import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";

export interface StrangeServer extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** How many connections it has accepted so far. */
  connections(): number;
}

/** What answers on a port where a homccd was expected. */
export const manners: ReadonlyMap<string, (socket: Socket) => unknown> = new Map(
  Object.entries({
    "never answers": (_socket: Socket) => {},
    "closes at once": (socket: Socket) => socket.end(),
    "resets the connection": (socket: Socket) => socket.resetAndDestroy(),
    "sends random bytes": (socket: Socket) => socket.end(randomBytes(100_000)),
    "sends zeros for ever": (socket: Socket) => {
      const write = (): void => {
        while (socket.writable && socket.write(new Uint8Array(65_536)));
        socket.once("drain", write);
      };
      write();
    },
    "claims a frame of 4 GB": (socket: Socket) => socket.write(Buffer.alloc(64, 0xff)),
    "speaks HTTP": (socket: Socket) => socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
  }),
);

export async function startStrangeServer(manner: string): Promise<StrangeServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("error", () => {}); // The client gave up: that is what the test is about.
    socket.on("close", () => sockets.delete(socket));
    socket.resume();
    manners.get(manner)?.(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const listening = server.address();
  if (listening === null || typeof listening === "string") throw new Error("no port");
  return {
    port: listening.port,
    address: `127.0.0.1:${listening.port}`,
    connections: () => accepted,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A port of loopback where nothing listens. */
export async function unusedPort(): Promise<number> {
  const server = await startStrangeServer("closes at once");
  await server[Symbol.asyncDispose]();
  return server.port;
}
