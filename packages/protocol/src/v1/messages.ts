import {
  maxArgumentLength,
  maxArguments,
  maxJobEntries,
  maxOutputs,
  maxPathLength,
  maxTextLength,
} from "../limits.ts";
import {
  array,
  dictionary,
  int,
  oneOf,
  optional,
  prose,
  record,
  type Schema,
  SchemaMismatch,
  type TypeOf,
  union,
} from "../schema.ts";

/** Compressions of homcc 1.x by their names on the wire. */
export const v1Compressions = ["lzo", "lzma", "no_compression"] as const;
export type V1Compression = (typeof v1Compressions)[number];

/** A file on the wire, compressed. Both ends hold one in memory as a whole. */
export const maxV1PayloadBytes = 512 << 20;

/** What a compiler prints; 1.x puts it into the JSON. */
const maxMessagesLength = 16 << 20;

/** The JSON text of one message after the first. */
export const maxV1MessageBytes = 64 << 20;

/** Python's text: bytes that are no UTF-8 are lone surrogates in it (`surrogate-escape.ts`). */
function pythonText(maxLength: number): Schema<string> {
  return {
    read(value) {
      if (typeof value !== "string") throw new SchemaMismatch("a string", value);
      if (value.length > maxLength) throw new SchemaMismatch(`at most ${maxLength} characters`, value);
      if (value.includes("\0")) throw new SchemaMismatch("text without NUL", value);
      return value;
    },
  };
}

const path = pythonText(maxPathLength);
const name = pythonText(maxPathLength);
const sha1: Schema<string> = {
  read(value) {
    if (typeof value !== "string" || !/^[0-9a-f]{40}$/.test(value))
      throw new SchemaMismatch("a SHA-1 in hexadecimal digits", value);
    return value;
  },
};
const size = int(0, maxV1PayloadBytes);
const compression = oneOf(v1Compressions);
const files = array(record({ filename: path, size }), maxOutputs);

export const v1Messages = union("message_type", {
  /** The client's first: compile this. Paths are absolute; `args` begins with the compiler's base name. */
  ArgumentMessage: record({
    args: array(pythonText(maxArgumentLength), maxArguments),
    cwd: path,
    dependencies: dictionary(path, sha1, maxJobEntries),
    /** Target triple of the client's compiler. */
    target: optional(name),
    schroot_profile: optional(name),
    docker_container: optional(name),
    compression: optional(compression),
    /** Only homcc 2 says it, to what it takes for a server of 1.x, which reads past it. */
    agent: optional(name),
  }),
  DependencyRequestMessage: record({ sha1sum: sha1 }),
  /** A payload of `size` bytes follows. */
  DependencyReplyMessage: record({ size, compression }),
  /** The payloads of all `files` follow, then those of all `dwarf_files`, each compressed on its own. */
  CompilationResultMessage: record({
    files,
    stdout: pythonText(maxMessagesLength),
    stderr: pythonText(maxMessagesLength),
    return_code: int(-255, 255),
    compression: optional(compression),
    dwarf_files: optional(files),
  }),
  ConnectionRefusedMessage: record({
    info: prose(maxTextLength),
    /** Only homccd 2 says it: whoever hears it in a conversation of 1.x has taken it for another. */
    server: optional(prose(maxTextLength)),
  }),
});

export type V1Message = TypeOf<typeof v1Messages>;
export type V1ArgumentMessage = Extract<V1Message, { message_type: "ArgumentMessage" }>;
export type V1ResultMessage = Extract<V1Message, { message_type: "CompilationResultMessage" }>;
export type V1File = V1ResultMessage["files"][number];

/** EX_TEMPFAIL: a client of 1.x compiles locally after this one, and after nothing else. */
export const v1RetryElsewhere = 75;

/** Lengths of the payloads that follow a message, in order. */
export function payloadSizes(message: V1Message): number[] {
  switch (message.message_type) {
    case "DependencyReplyMessage":
      return [message.size];
    case "CompilationResultMessage":
      return [...message.files, ...(message.dwarf_files ?? [])].map((file) => file.size);
    default:
      return [];
  }
}
