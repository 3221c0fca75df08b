import type { ActionResult } from "@homcc/cas/action";
import { maxUndeclared, maxUnlisted } from "./limits.ts";
import type { ResultMessage } from "./messages.ts";

/** The message that announces a result; the bytes of stdout, stderr and the outputs follow it, coded as `outputs` says. */
export function toResultMessage(
  result: Pick<ActionResult, "termination" | "stdout" | "stderr" | "undeclared" | "unlisted" | "usage">,
  outputs: ResultMessage["outputs"],
  server: Pick<ResultMessage, "executor" | "localeKnown" | "sandboxToolchain" | "reuse">,
): ResultMessage {
  const { unlisted = [] } = result;
  return {
    kind: "result",
    termination: result.termination,
    stdoutBytes: result.stdout.byteLength,
    stderrBytes: result.stderr.byteLength,
    outputs,
    undeclared: result.undeclared.slice(0, maxUndeclared),
    ...(unlisted.length === 0 ? {} : { unlisted: unlisted.slice(0, maxUnlisted) }),
    usage: {
      wallMs: Math.round(result.usage.wallMs),
      cpuMs: Math.round(result.usage.cpuMs),
      maxRssKiB: Math.round(result.usage.maxRssKiB),
    },
    executor: server.executor,
    localeKnown: server.localeKnown,
    ...(server.reuse === undefined ? {} : { reuse: server.reuse }),
    ...(server.sandboxToolchain === undefined ? {} : { sandboxToolchain: server.sandboxToolchain }),
  };
}
