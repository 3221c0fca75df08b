import { HomccError } from "@homcc/observability/error";
import { v1PrefixBytes } from "../hello.ts";
import { parseJson } from "../message-codec.ts";
import { parse } from "../schema.ts";
import {
  maxV1MessageBytes,
  maxV1PayloadBytes,
  payloadSizes,
  type V1File,
  type V1Message,
  v1Messages,
} from "./messages.ts";
import { type PythonJson, pythonJson } from "./python-json.ts";

/** A message with the payloads that its JSON announces, as they are on the wire. */
export interface V1Frame {
  readonly message: V1Message;
  readonly payloads: readonly Uint8Array[];
}

/**
 * `size:u64le json payload…`, members in the order in which 1.x writes them. In pieces: to join an object of 30 MB with
 * what comes before it would hold the event loop for 10 ms.
 */
export function encodeV1(message: V1Message, payloads: readonly Uint8Array[] = []): Uint8Array[] {
  const sizes = payloadSizes(message);
  if (sizes.length !== payloads.length || sizes.some((size, index) => payloads[index]?.byteLength !== size))
    throw new Error(`${message.message_type}: payloads that differ from what it announces`);
  const json = Buffer.from(pythonJson(inOrder(message)));
  const prefix = Buffer.alloc(v1PrefixBytes);
  prefix.writeBigUInt64LE(BigInt(json.byteLength));
  return [Buffer.concat([prefix, json]), ...payloads];
}

/** Members that are `undefined` are left out by the writer. */
function inOrder(message: V1Message): PythonJson {
  const { message_type } = message;
  switch (message_type) {
    case "ArgumentMessage": {
      const { args, cwd, dependencies, target, schroot_profile, docker_container, compression, agent } =
        message;
      return {
        message_type,
        args,
        cwd,
        dependencies,
        target,
        schroot_profile,
        docker_container,
        compression,
        agent,
      };
    }
    case "DependencyRequestMessage":
      return { message_type, sha1sum: message.sha1sum };
    case "DependencyReplyMessage":
      return { message_type, size: message.size, compression: message.compression };
    case "CompilationResultMessage": {
      const { stdout, stderr, return_code, compression } = message;
      return {
        message_type,
        files: message.files.map(fileInOrder),
        stdout,
        stderr,
        return_code,
        compression,
        dwarf_files: message.dwarf_files?.map(fileInOrder),
      };
    }
    case "ConnectionRefusedMessage":
      return { message_type, info: message.info, server: message.server };
  }
}

function fileInOrder({ filename, size }: V1File): PythonJson {
  return { filename, size };
}

/** Takes JSON that was read elsewhere: the first message of a connection. */
export function readV1Message(json: unknown): V1Message {
  return parse(v1Messages, json, "message");
}

/**
 * Cuts the bytes of a connection into messages. Memory grows with the bytes that come, not with what they promise; what is
 * beyond the limits throws ERR_HOMCC_PROTOCOL.
 */
export class V1Decoder {
  readonly #maxJsonBytes: number;
  readonly #maxPayloadBytes: number;
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  /** Of a message whose length is known. */
  #jsonBytes: number | undefined;
  #message: V1Message | undefined;
  #payloads: Uint8Array[] = [];

  /** `maxPayloadBytes` is for all payloads of one message together. */
  constructor(limits: { readonly maxJsonBytes?: number; readonly maxPayloadBytes?: number } = {}) {
    this.#maxJsonBytes = limits.maxJsonBytes ?? maxV1MessageBytes;
    this.#maxPayloadBytes = limits.maxPayloadBytes ?? maxV1PayloadBytes;
  }

  /** Bytes of an unfinished message. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  push(chunk: Uint8Array): V1Frame[] {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.byteLength;
    const frames: V1Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): V1Frame | undefined {
    this.#message ??= this.#nextMessage();
    const message = this.#message;
    if (message === undefined) return undefined;
    const sizes = payloadSizes(message);
    if (sizes.reduce((sum, size) => sum + size, 0) > this.#maxPayloadBytes)
      throw new HomccError("ERR_HOMCC_PROTOCOL", `payloads of more than ${this.#maxPayloadBytes} bytes`);
    while (this.#payloads.length < sizes.length) {
      const payload = this.#take(sizes[this.#payloads.length] ?? 0);
      if (payload === undefined) return undefined;
      this.#payloads.push(payload);
    }
    const payloads = this.#payloads;
    this.#message = undefined;
    this.#payloads = [];
    return { message, payloads };
  }

  #nextMessage(): V1Message | undefined {
    this.#jsonBytes ??= this.#nextLength();
    if (this.#jsonBytes === undefined) return undefined;
    const json = this.#take(this.#jsonBytes);
    if (json === undefined) return undefined;
    this.#jsonBytes = undefined;
    return readV1Message(parseJson(json, maxV1MessageBytes));
  }

  #nextLength(): number | undefined {
    const jsonBytes = this.#take(v1PrefixBytes)?.readBigUInt64LE();
    if (jsonBytes !== undefined && jsonBytes > this.#maxJsonBytes)
      throw new HomccError("ERR_HOMCC_PROTOCOL", `a message of ${jsonBytes} bytes`);
    return jsonBytes === undefined ? undefined : Number(jsonBytes);
  }

  /** `undefined` until there are so many. */
  #take(count: number): Buffer | undefined {
    if (this.#heldBytes < count) return undefined;
    const bytes = this.#joined();
    this.#chunks = [bytes.subarray(count)];
    this.#heldBytes -= count;
    return bytes.subarray(0, count);
  }

  #joined(): Buffer {
    const [first, second] = this.#chunks;
    const bytes =
      first !== undefined && second === undefined
        ? Buffer.from(first.buffer, first.byteOffset, first.byteLength)
        : Buffer.concat(this.#chunks);
    this.#chunks = [bytes];
    return bytes;
  }
}
