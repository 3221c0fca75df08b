import type { Digest } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";

/** The store had named the input present, and its file turned out to be damaged or gone: it can be asked for again. */
export class LostInput extends HomccError {
  constructor(digest: Digest, path: string) {
    super("ERR_HOMCC_EXECUTOR", `the store does not hold ${digest}, input ${path}`);
  }
}
