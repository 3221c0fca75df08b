import type { Action } from "@homcc/cas/action";
import type { Compilation } from "@homcc/compiler/compilation";
import type { LoadedSettings } from "@homcc/config/load";
import type { Services } from "../services.ts";
import { pipedMessages } from "./piped-messages.ts";
import type { RemoteCompilation } from "./remote-compilation.ts";

/** The result of an earlier job, kept at home; `undefined` when there is none. */
export async function ownResult(
  action: Action,
  { argv }: Compilation,
  { settings }: LoadedSettings,
  { ownResults, servers }: Pick<Services, "ownResults" | "servers">,
): Promise<Extract<RemoteCompilation, { kind: "final" }> | undefined> {
  const kept = await ownResults?.find(action, settings.clientCacheBytes);
  if (kept === undefined) return undefined;
  return {
    kind: "final",
    status: 0,
    stdout: kept.stdout,
    stderr: pipedMessages(kept.stderr, action.steps, argv),
    cost: { host: "localhost", executor: "", sentBytes: 0, receivedBytes: 0, compileMs: 0, uploadMs: 0 },
    origin: "own-results",
    note: "",
    action,
    produced: kept.produced,
    undeclared: [],
    commit: async () => {
      await kept.commit();
      for (const { path, digest } of kept.written) servers.noteOutput(path, digest);
    },
    discard: () => kept.discard(),
  };
}
