import { HomccError } from "@homcc/observability/error";
import type { ClientMessage } from "@homcc/protocol/messages";
import type { ServerChannel, StreamHandler } from "@homcc/transport/channel";
import type { AskForProof, ProofMessage } from "../possession.ts";
import type { IntakeAnswer, ToolchainIntake } from "./toolchain-intake.ts";

type Question = Extract<ClientMessage, { kind: "toolchain" | "pieces" }>;

/** Of one client at once; ours has one. */
const maxOpen = 8;

/** The streams on which one client offers toolchains and their large files. */
export class ToolchainQuestions {
  readonly #channel: ServerChannel;
  readonly #intake: ToolchainIntake | undefined;
  #open = 0;

  constructor(channel: ServerChannel, intake: ToolchainIntake | undefined) {
    this.#channel = channel;
    this.#intake = intake;
  }

  accept(stream: number, question: Question): StreamHandler<ClientMessage> | undefined {
    const intake = this.#intake;
    if (intake === undefined || this.#open >= maxOpen) {
      const [reason, message] =
        intake === undefined
          ? (["toolchain-differs", "this server takes no toolchains"] as const)
          : (["limited", `more than ${maxOpen} toolchains of one client at once`] as const);
      this.#channel.send(stream, { kind: "refused", reason, message }, { end: true });
      return undefined;
    }
    let awaited: PromiseWithResolvers<ProofMessage> | undefined;
    let ended: Error | undefined;
    const ask: AskForProof = (message) => {
      if (ended !== undefined) return Promise.reject(ended);
      awaited = Promise.withResolvers<ProofMessage>();
      this.#channel.send(stream, message);
      return awaited.promise;
    };
    void this.#answer(
      stream,
      question.kind === "toolchain" ? intake.offered(question, ask) : intake.pieces(question, ask),
    );
    return {
      onMessage: (next) => {
        if (next.kind === "proof") awaited?.resolve(next);
      },
      onClose: (reason) => {
        ended = new HomccError("ERR_HOMCC_CONNECTION_LOST", reason.message);
        awaited?.reject(ended);
      },
    };
  }

  async #answer(stream: number, answering: Promise<IntakeAnswer>): Promise<void> {
    this.#open += 1;
    try {
      this.#channel.send(stream, await answering, { end: true });
    } catch {
      // Only the end of the connection is no answer.
      this.#channel.closeStream(stream);
    } finally {
      this.#open -= 1;
    }
  }
}
