import { once } from "node:events";
import { createServer, type Socket } from "node:net";

export interface StrangeV1Server extends AsyncDisposable {
  readonly port: number;
  /** First messages of 1.x clients so far. */
  jobs(): number;
}

/** Takes our hello as a server of homcc 1.x does, and answers any job with these bytes; then it hangs up, or is silent. */
export async function startStrangeV1Server(
  answer: Uint8Array,
  end: "hangs up" | "is silent" = "hangs up",
): Promise<StrangeV1Server> {
  let jobs = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    socket.once("data", (first: Buffer) => {
      if (!first.includes('"ArgumentMessage"')) {
        socket.destroy();
        return;
      }
      jobs += 1;
      socket.resume();
      if (end === "hangs up") socket.end(answer);
      else socket.write(answer);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    jobs: () => jobs,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
