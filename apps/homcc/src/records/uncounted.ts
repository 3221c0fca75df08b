import type { Services } from "../services.ts";
import { emptyTally } from "./tally.ts";

/** Statistics of a process that serves one call: writing them for each call would cost more than they are worth. */
export const uncounted: Services["statistics"] = {
  count: () => {},
  countAudit: () => {},
  countIncompleteScan: () => {},
  read: () => emptyTally(0),
  zero: () => emptyTally(0),
};
