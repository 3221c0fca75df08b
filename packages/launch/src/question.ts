import { encodeFrame, type Frame, frameTypes } from "./frame.ts";
import { protocolError, WireReader, WireWriter } from "./wire.ts";

/** What an agent can be asked while it works. `zero-stats` begins to count anew and answers with what was counted. */
export const questionSubjects = ["status", "stats", "zero-stats"] as const;
export type QuestionSubject = (typeof questionSubjects)[number];

/** A question opens a connection in place of a request; it neither starts nor retires an agent. */
export interface Question {
  /** Identity of the agent program beside the asking one. */
  readonly agentIdentity: string;
  readonly subject: QuestionSubject;
}

/** The only reply to a question; the connection ends after it. */
export interface Answer {
  /** Of the agent that answers: another one than the question's may give its answer another form. */
  readonly agentIdentity: string;
  /** JSON. */
  readonly text: string;
}

/**
 * The payloads, in the letters of wire.ts; bytes after the last field are ignored:
 *
 *     question   u8 version, string agentIdentity, string subject
 *     answer     string agentIdentity, string text
 */
const questionVersion = 1;

export function encodeQuestion({ agentIdentity, subject }: Question): Uint8Array {
  const writer = new WireWriter();
  writer.u8(questionVersion);
  writer.string(agentIdentity);
  writer.string(subject);
  return encodeFrame(frameTypes.question, writer.finish());
}

export function decodeQuestion({ type, payload }: Frame): Question {
  if (type !== frameTypes.question) throw protocolError(`frame type ${type} instead of a question`);
  const reader = new WireReader(payload);
  const version = reader.u8();
  if (version !== questionVersion) throw protocolError(`a question of version ${version}`);
  const agentIdentity = reader.string();
  const text = reader.string();
  const subject = questionSubjects.find((known) => known === text);
  if (subject === undefined) throw protocolError("an unknown question");
  return { agentIdentity, subject };
}

export function encodeAnswer({ agentIdentity, text }: Answer): Uint8Array {
  const writer = new WireWriter();
  writer.string(agentIdentity);
  writer.string(text);
  return encodeFrame(frameTypes.answer, writer.finish());
}

export function decodeAnswer({ type, payload }: Frame): Answer {
  if (type !== frameTypes.answer) throw protocolError(`frame type ${type} instead of an answer`);
  const reader = new WireReader(payload);
  return { agentIdentity: reader.string(), text: reader.string() };
}
