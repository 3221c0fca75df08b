import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { unpackV1, packV1 } from "@homcc/protocol/v1/payload";
import type { V1Compression, V1File, V1Message } from "@homcc/protocol/v1/messages";
import type { V1Frame } from "@homcc/protocol/v1/codec";
import { V1Connection } from "@homcc/transport/v1-connection";

export interface V1Relay extends AsyncDisposable {
  readonly port: number;
  /** Messages that went through it. */
  messages(): number;
}

const maxBytes = 64 << 20;

/**
 * Stands between a 1.x client and a 1.x server: our codec reads everything that one of them says and writes it anew for
 * the other, files decompressed and compressed again.
 */
export async function startV1Relay(serverPort: number): Promise<V1Relay> {
  let messages = 0;
  const sockets = new Set<Socket>();
  const pass = async (from: V1Connection, to: V1Connection): Promise<void> => {
    try {
      for (;;) {
        const frame = await from.receive(to.signal);
        messages += 1;
        await to.send(...(await rewritten(frame)));
      }
    } catch {
      // One of the two has ended: so does the other, once it has read what was passed on.
      to.finish();
    }
  };
  const relay = createServer((socket) => {
    const onward = connect(serverPort, "127.0.0.1");
    for (const each of [socket, onward]) {
      sockets.add(each);
      each.once("close", () => sockets.delete(each));
    }
    const client = new V1Connection(socket, { peer: "the 1.x client" });
    const server = new V1Connection(onward, { peer: "the 1.x server" });
    void pass(client, server);
    void pass(server, client);
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const address = relay.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    messages: () => messages,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      relay.close();
      await once(relay, "close");
    },
  };
}

async function rewritten({
  message,
  payloads,
}: V1Frame): Promise<[message: V1Message, payloads: Uint8Array[]]> {
  if (message.message_type === "DependencyReplyMessage") {
    const packed = await repacked(message.compression, payloads);
    return [{ ...message, size: packed[0]?.byteLength ?? 0 }, packed];
  }
  if (message.message_type !== "CompilationResultMessage") return [message, []];
  const packed = await repacked(message.compression ?? "no_compression", payloads);
  const sized = ({ filename }: V1File, index: number): V1File => ({
    filename,
    size: packed[index]?.byteLength ?? 0,
  });
  const files = message.files.map(sized);
  const dwarf = message.dwarf_files?.map((file, index) => sized(file, files.length + index));
  return [{ ...message, files, ...(dwarf === undefined ? {} : { dwarf_files: dwarf }) }, packed];
}

function repacked(compression: V1Compression, payloads: readonly Uint8Array[]): Promise<Uint8Array[]> {
  return Promise.all(
    payloads.map(async (payload) => packV1(compression, await unpackV1(compression, payload, maxBytes))),
  );
}
