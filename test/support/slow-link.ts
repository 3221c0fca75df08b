import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface SlowLink extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as a line of the hosts file has it. */
  readonly address: string;
}

const pauseMs = 50;

/** A port that leads to `port` of loopback, with `bytesPerSecond` towards it and no limit back: a home uplink. */
export async function startSlowLink(port: number, bytesPerSecond: number): Promise<SlowLink> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(port, "127.0.0.1");
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => {}); // The other end is told by the end of this one.
      socket.on("close", () => {
        client.destroy();
        target.destroy();
      });
    }
    target.pipe(client);
    void forward(client, target, (bytesPerSecond * pauseMs) / 1000);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const listening = server.address();
  if (listening === null || typeof listening === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${listening.port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function forward(from: Socket, to: Socket, bytesPerPause: number): Promise<void> {
  const chunks: AsyncIterable<Buffer> = from;
  try {
    for await (const chunk of chunks) {
      for (let start = 0; start < chunk.length; start += bytesPerPause) {
        to.write(chunk.subarray(start, start + bytesPerPause));
        await delay(pauseMs);
      }
    }
    to.end();
  } catch {
    to.destroy();
  }
}
