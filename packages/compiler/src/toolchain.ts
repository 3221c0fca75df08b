import type { CompilerFamily } from "./compilation.ts";
import type { Digest } from "@homcc/cas/digest";

/**
 * One file, folder or link of a toolchain, at its absolute path; `..` and links resolved component by component, so
 * that laying all entries out below an empty folder gives a root in which the driver works.
 */
export type ToolchainEntry =
  | { readonly kind: "file"; readonly path: string; readonly digest: Digest; readonly executable: boolean }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string };

/**
 * A compiler with everything it loads: resolved driver, cc1/cc1plus or clang, as, objcopy, their libraries and
 * loader, specs, the selected GCC installation and every built-in folder of the compiler's own, names and contents,
 * paths included (they are in the debug info). Header folders like /usr/include are not part: headers are inputs.
 */
export interface Toolchain {
  readonly family: CompilerFamily;
  /** First line of `--version`, for people. */
  readonly version: string;
  /** Absolute path by which the driver was called. */
  readonly driver: string;
  /** Digest of the manifest's bytes: the identity. Equal on two machines when every entry is equal. */
  readonly digest: Digest;
  /** Sorted by path. */
  readonly entries: readonly ToolchainEntry[];
}
