import { createConnection, type Socket } from "node:net";
import { HomccError } from "@homcc/observability/error";
import { FrameReader } from "./frame.ts";
import { isPrivateFolder, type LaunchPaths } from "./paths.ts";
import { decodeAnswer, encodeQuestion, type QuestionSubject } from "./question.ts";

export interface AskOptions {
  readonly paths: LaunchPaths;
  readonly uid: number;
  /** Of the agent program beside the asking one. */
  readonly agentIdentity: string;
  readonly timeoutMs?: number;
}

export type AskedAgent =
  | { readonly kind: "answered"; readonly text: string }
  /** Nobody listens: the next compile starts an agent. */
  | { readonly kind: "none" }
  /** An agent of another version, whose answer may look different: the next compile replaces it. */
  | { readonly kind: "other-version" };

/** A busy agent answers in milliseconds. */
const defaultTimeoutMs = 5_000;

/** Asks the running agent; starts none. Rejects with ERR_HOMCC_UNAVAILABLE when one is there and does not answer. */
export async function askAgent(subject: QuestionSubject, options: AskOptions): Promise<AskedAgent> {
  const { paths, uid, agentIdentity, timeoutMs = defaultTimeoutMs } = options;
  if (!isPrivateFolder(paths.socketFolder, uid)) return { kind: "none" };
  const socket = createConnection(paths.socketPath);
  let isConnected = false;
  let isSilent = false;
  const timer = setTimeout(() => {
    isSilent = true;
    socket.destroy();
  }, timeoutMs);
  try {
    socket.once("connect", () => (isConnected = true));
    socket.write(encodeQuestion({ agentIdentity, subject }));
    const answer = await answerOn(socket);
    if (isSilent) throw silent(paths, timeoutMs);
    if (answer === undefined) return { kind: isConnected ? "other-version" : "none" };
    const isOwn = answer.agentIdentity === agentIdentity;
    return isOwn ? { kind: "answered", text: answer.text } : { kind: "other-version" };
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** `undefined` when the connection ends without one: agents before this question take it for no request of theirs. */
async function answerOn(socket: Socket): Promise<ReturnType<typeof decodeAnswer> | undefined> {
  const reader = new FrameReader();
  try {
    const chunks: AsyncIterable<Uint8Array> = socket;
    for await (const chunk of chunks) {
      for (const frame of reader.push(chunk)) return decodeAnswer(frame);
    }
  } catch {
    // Refused, reset, or no answer of ours.
  }
  return undefined;
}

function silent(paths: LaunchPaths, timeoutMs: number): HomccError {
  return new HomccError("ERR_HOMCC_UNAVAILABLE", `the agent did not answer within ${timeoutMs / 1000} s`, {
    hint: `is it stopped? it listens on ${paths.socketPath} and its log is ${paths.logPath}`,
  });
}
