import { maxDataFrameBytes } from "@homcc/protocol/limits";
import { MessageHistory } from "@homcc/protocol/message-history";
import { mutatedJson } from "../json.ts";
import { orRefused } from "../refusals.ts";
import { type FuzzTarget, must, mustEqual } from "../target.ts";
import { exampleMessages } from "../vectors.ts";

const examples = exampleMessages();

/** Messages that are compressed with those before them: the lines of the input, each the next message. */
export const history: FuzzTarget = {
  name: "history",
  property: "both ends tell and read the same texts, and bytes that nobody packed are refused or bounded",
  maxBytes: 1 << 16,
  generate: (random) =>
    Buffer.from(random.many(1, 8, () => mutatedJson(random.pick(examples), random)).join("\n")),
  check(input) {
    const sender = new MessageHistory();
    const receiver = new MessageHistory();
    for (const line of input.toString("latin1").split("\n")) {
      const text = Buffer.from(line, "latin1");
      const packed = sender.pack(text);
      sender.remember(text);
      if (packed !== undefined) {
        must(packed.byteLength < text.byteLength, "packed it is longer");
        mustEqual("the text", receiver.unpack(packed, text.byteLength), text);
        must(refuses(receiver, packed, text.byteLength - 1), "more comes out than was allowed");
      }
      receiver.remember(text);
      // A peer may send the same bytes without ever having packed them.
      const found = orRefused(() => receiver.unpack(text, maxDataFrameBytes));
      must((found?.byteLength ?? 0) <= maxDataFrameBytes, "more comes out than was allowed");
    }
  },
};

function refuses(receiver: MessageHistory, payload: Uint8Array, maxBytes: number): boolean {
  return orRefused(() => receiver.unpack(payload, maxBytes)) === undefined;
}
