import { closeSync, lstatSync, openSync, type Stats } from "node:fs";
import { launchPaths, preparePrivateFolder } from "@homcc/launch/paths";
import { describeError, HomccError } from "@homcc/observability/error";
import { askOwnAgent } from "../ask/asked-agent.ts";
import type { Examination } from "./examination.ts";

/** Whether launchers can have an agent: a folder that is theirs alone, with a socket and a lock in it. */
export async function examineAgentPlace(
  environment: Readonly<Record<string, string>>,
  examination: Examination,
): Promise<void> {
  examination.section("Agent");
  const uid = process.getuid?.() ?? 0;
  const paths = launchPaths(environment, uid, process.cwd());
  if ((environment["HOMCC_NO_AGENT"] ?? "") !== "") {
    examination.problem(
      "HOMCC_NO_AGENT is set: every compile does the agent's work from the beginning, which takes much longer",
      "unset HOMCC_NO_AGENT",
    );
  }
  for (const folder of new Set([paths.folder, paths.socketFolder])) {
    const obstacle = obstacleIn(folder, uid);
    if (obstacle === undefined) continue;
    examination.problem(
      `${folder}: ${obstacle}; without it no agent can be started and everything is compiled on this machine`,
      `make that folder your own, or set HOMCC_DIR to a folder in which you may write`,
    );
    return;
  }
  await examineAgent(environment, examination);
}

/** Does what a launcher does before it starts an agent; what stands in the way of that, for people. */
function obstacleIn(folder: string, uid: number): string | undefined {
  if (!preparePrivateFolder(folder, uid)) return ownershipObstacle(folder, uid);
  try {
    closeSync(openSync(`${folder}/agent.lock`, "a", 0o600));
    return undefined;
  } catch (error) {
    return `no file can be made there: ${describeError(error)}`;
  }
}

function ownershipObstacle(folder: string, uid: number): string {
  const status = statusOf(folder);
  if (status === undefined) return "the folder cannot be made";
  if (status.isSymbolicLink())
    return "it is a symbolic link, which somebody else may have made, and no private folder";
  if (!status.isDirectory()) return "it is no folder";
  if (status.uid !== uid) return `it belongs to user ${status.uid} and is not private to you (user ${uid})`;
  return "it cannot be made private";
}

function statusOf(folder: string): Stats | undefined {
  try {
    return lstatSync(folder);
  } catch {
    return undefined;
  }
}

async function examineAgent(
  environment: Readonly<Record<string, string>>,
  examination: Examination,
): Promise<void> {
  try {
    const { agent, paths } = await askOwnAgent("status", environment);
    const log = `its log is ${paths.logPath}`;
    if (agent.kind === "answered") examination.ok(`it runs; ${log}`);
    else if (agent.kind === "none") examination.ok(`none runs, the next compile starts it; ${log}`);
    else examination.note("one of another version runs; the next compile replaces it");
  } catch (error) {
    if (!(error instanceof HomccError)) throw error;
    examination.problem(describeError(error), "end it with kill; the next compile starts another one");
  }
}
