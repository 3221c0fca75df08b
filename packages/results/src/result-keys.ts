import type { Action } from "@homcc/cas/action";
import { actionKey } from "./action-key.ts";
import { type Relocatability, relocatabilityOf } from "./relocation.ts";
import { sourceRootOf } from "./source-root.ts";

/** The names under which the result of one action can be found. */
export interface ResultKeys {
  /** For this source root. Made when it is first asked for. */
  readonly own: string;
  readonly root: string | undefined;
  readonly relocatability: Relocatability;
  /** For every source root. */
  readonly shared: string | undefined;
}

/** The keys of an action that is run in `place`. */
export function resultKeysOf(action: Action, place: string): ResultKeys {
  const root = sourceRootOf(action);
  const relocatability: Relocatability =
    root === undefined
      ? { kind: "bound", reason: "its files have no folder in common" }
      : relocatabilityOf(action, root);
  let own: string | undefined;
  return {
    get own() {
      own ??= actionKey(action, place);
      return own;
    },
    root,
    relocatability,
    shared: relocatability.kind === "free" ? actionKey(action, place, relocatability.relocation) : undefined,
  };
}
