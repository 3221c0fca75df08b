/** Why a translation unit has to be listed by its compiler. */
export type CannotScanReason =
  /** An option whose effect on what is read is not modelled. */
  | "option"
  /** The compiler did not answer a question about itself. */
  | "compiler"
  /** A file cannot be read, or is not a regular file. */
  | "unreadable"
  /** An include is not found: the compiler says so itself. */
  | "missing-include"
  /** A condition that no compiler takes, or whose value depends on where it stands. */
  | "condition"
  /** An operand of an include that does not come to one certain name. */
  | "computed-name"
  /** Text that changes macros where only the whole preprocessor sees it. */
  | "hidden-pragma"
  /** Modules, precompiled headers, `.incbin`, and other files that are not included. */
  | "construct"
  | "not-utf8"
  /** Nesting, expansion or size beyond the limits. */
  | "limit";

/** What is read cannot be told for certain. Never a guess in its place: the caller asks the compiler. */
export class CannotScan extends Error {
  readonly reason: CannotScanReason;
  readonly detail: string;

  constructor(reason: CannotScanReason, detail: string) {
    super(`${reason}: ${detail}`);
    this.name = "CannotScan";
    this.reason = reason;
    this.detail = detail;
  }
}
