import type { OutputWriter } from "./output-writer.ts";

/** What a result does to one output of its job. */
export type ProducedOutput =
  | {
      readonly kind: "written";
      readonly path: string;
      /** Where the bytes are until the result is committed or discarded. */
      readonly file: string;
      readonly mode: number;
    }
  | { readonly kind: "removed"; readonly path: string };

/** The output that a finished writer holds. */
export function writtenBy({ path, mode, temporaryPath }: OutputWriter): ProducedOutput {
  return { kind: "written", path, file: temporaryPath, mode };
}
