import { type Digest, parseDigest } from "@homcc/cas/digest";

/** One file that a kept result writes; `path` may begin with the mark of a source root. */
export interface KeptOutput {
  readonly path: string;
  readonly digest: Digest;
  readonly mode: number;
  /** A dependency file whose names below the source root are marked, too. */
  readonly marked?: true;
  /** The blob that it was packed into, where that was worth it. */
  readonly packed?: Digest;
}

/** What is kept under a key: a compile that ended with 0, or why there is nothing for other source roots. */
export type ResultEntry =
  | {
      readonly kind: "result";
      readonly stdout: Digest;
      readonly stderr: Digest;
      /** Set when it has messages: they are right for the same terminal and language only. */
      readonly messageKey?: string;
      readonly outputs: readonly KeptOutput[];
    }
  | { readonly kind: "bound"; readonly reason: string };

const entryVersion = 1;

/**
 * The blob of an entry, JSON:
 *
 *     {"homccResult":1,"kind":"result","stdout":DIGEST,"stderr":DIGEST,"messageKey":HEX?,"outputs":[{path,digest,mode,marked?,packed?}…]}
 *     {"homccResult":1,"kind":"bound","reason":TEXT}
 */
export function encodeEntry(entry: ResultEntry): Buffer {
  return Buffer.from(JSON.stringify({ homccResult: entryVersion, ...entry }));
}

/** `undefined` for what is no entry of this version. */
export function decodeEntry(bytes: Uint8Array): ResultEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value["homccResult"] !== entryVersion) return undefined;
  if (value["kind"] === "bound" && typeof value["reason"] === "string")
    return { kind: "bound", reason: value["reason"] };
  const { stdout, stderr, messageKey, outputs } = value;
  if (value["kind"] !== "result" || !isDigest(stdout) || !isDigest(stderr)) return undefined;
  if (!Array.isArray(outputs) || !outputs.every(isKeptOutput)) return undefined;
  if (messageKey !== undefined && typeof messageKey !== "string") return undefined;
  return { kind: "result", stdout, stderr, outputs, ...(messageKey === undefined ? {} : { messageKey }) };
}

function isKeptOutput(value: unknown): value is KeptOutput {
  return (
    isRecord(value) &&
    typeof value["path"] === "string" &&
    isDigest(value["digest"]) &&
    typeof value["mode"] === "number" &&
    (value["marked"] === undefined || value["marked"] === true) &&
    (value["packed"] === undefined || isDigest(value["packed"]))
  );
}

function isDigest(value: unknown): value is Digest {
  return typeof value === "string" && parseDigest(value) !== undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
