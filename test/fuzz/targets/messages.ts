import { decodeMessage, encodeMessage, type IncomingSchema } from "@homcc/protocol/message-codec";
import { clientMessages, serverMessages } from "@homcc/protocol/messages";
import { EntryNumbering, EntryTable } from "@homcc/protocol/session-entries";
import { exampleMessages } from "../vectors.ts";
import { jsonWords, mutatedJson } from "../json.ts";
import { orRefused } from "../refusals.ts";
import { type FuzzTarget, mustEqual } from "../target.ts";

const examples = exampleMessages();

/** JSON of both directions, and what a server makes of the numbers in a job. */
export const messages: FuzzTarget = {
  name: "messages",
  property: "a message is refused as a protocol error, or means the same when it is written and read again",
  dictionary: jsonWords,
  generate: (random) => Buffer.from(mutatedJson(random.pick(examples), random)),
  check(input) {
    const job = roundTrip(clientMessages, input);
    roundTrip(serverMessages, input);
    if (job?.kind !== "job") return;
    const table = new EntryTable();
    const resolved = orRefused(() => table.resolve({ ...job, declareFrom: 0 }));
    if (resolved === undefined) return;
    // Told again by the other end, they stand for the same files.
    new EntryNumbering().encode(
      resolved.inputs,
      () => resolved.absent,
      (coded) => {
        const again = new EntryTable().resolve(coded);
        mustEqual("inputs of numbers", sortedPaths(again.inputs), sortedPaths(resolved.inputs));
      },
    );
  },
};

function roundTrip<M>(schema: IncomingSchema<M>, input: Buffer): M | undefined {
  const message = orRefused(() => decodeMessage(schema, input));
  if (message === undefined) return undefined;
  const again = decodeMessage(schema, encodeMessage(schema, message));
  mustEqual("the message read again", again, message);
  return message;
}

function sortedPaths(entries: readonly { readonly path: string }[]): string[] {
  return [...new Set(entries.map(({ path }) => path))].sort();
}
