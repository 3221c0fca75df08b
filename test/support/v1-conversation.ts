import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";

/** A message as 1.x writes it, of JSON that is written as Python writes it. */
export function v1Bytes(json: string, payload: Uint8Array = new Uint8Array()): Buffer {
  const text = Buffer.from(json);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.byteLength));
  return Buffer.concat([prefix, text, payload]);
}

/** A 1.x client's first message. */
export function v1Arguments(
  args: readonly string[],
  cwd: string,
  dependencies: Readonly<Record<string, string>>,
): Buffer {
  const json = JSON.stringify({ message_type: "ArgumentMessage", args, cwd, dependencies });
  return v1Bytes(json.replace('"message_type":', '"message_type": '));
}

export interface HeldConversation {
  readonly socket: Socket;
  /** The first that came from the server. */
  readonly said: string;
}

/** A 1.x client that has been asked for its source and says nothing: it holds a slot until it is destroyed. */
export async function startV1Conversation(
  port: number,
  { args, cwd, source }: { readonly args: readonly string[]; readonly cwd: string; readonly source: string },
): Promise<HeldConversation> {
  const socket = connect(port, "127.0.0.1");
  const sha1 = createHash("sha1")
    .update(await readFile(source))
    .digest("hex");
  socket.write(v1Arguments(args, cwd, { [source]: sha1 }));
  const [said] = (await once(socket, "data")) as unknown[];
  return { socket, said: String(said) };
}
