import type { InputEntry } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { packNow } from "@homcc/protocol/compression";
import { decodeMessage, encodeMessage } from "@homcc/protocol/message-codec";
import { clientMessages, serverMessages } from "@homcc/protocol/messages";
import { EntryNumbering } from "@homcc/protocol/session-entries";
import { exampleJob, exampleResult } from "@homcc/transport/fixtures/example-messages";
import type { MicroResult } from "../results.ts";
import { microseconds } from "./rounds.ts";

const fileCount = 300;

/** A warm job on the wire: 300 files that the server knows, its message, and the result's. */
export async function codec(): Promise<MicroResult[]> {
  const inputs = Array.from({ length: fileCount }, (_, index): InputEntry => {
    const path = `/project/include/part${index % 20}/header${index}.h`;
    return { kind: "file", path, digest: digestOf(Buffer.from(path)), mtimeNs: 1_700_000_000_000_000_000n };
  });
  const numbering = new EntryNumbering();
  numbering.encode(
    inputs,
    () => [],
    () => {},
  );
  let coded = { declareFrom: 0, declare: [], inputs: [] } as Parameters<
    Parameters<typeof numbering.encode>[2]
  >[0];
  const encode = (): void =>
    numbering.encode(
      inputs,
      () => [],
      (next) => (coded = next),
    );
  encode();
  const job = exampleJob(coded);
  const bytes = encodeMessage(clientMessages, job);
  const result = encodeMessage(serverMessages, exampleResult(400_000));
  return [
    await microseconds(`a warm job's ${fileCount} files to numbers`, encode),
    await microseconds(`a warm job's message encoded (${bytes.byteLength} bytes)`, () =>
      packNow(encodeMessage(clientMessages, job)),
    ),
    await microseconds("the same decoded", () => decodeMessage(clientMessages, bytes)),
    await microseconds(`a result's message decoded (${result.byteLength} bytes)`, () =>
      decodeMessage(serverMessages, result),
    ),
  ];
}
