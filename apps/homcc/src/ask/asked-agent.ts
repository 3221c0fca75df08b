import { type AskedAgent, askAgent } from "@homcc/launch/ask-agent";
import { agentIdentityOf } from "@homcc/launch/agent-identity";
import { type LaunchPaths, launchPaths } from "@homcc/launch/paths";
import type { QuestionSubject } from "@homcc/launch/question";
import { installationAround } from "../launcher/installation.ts";

export interface Asked {
  readonly agent: AskedAgent;
  readonly paths: LaunchPaths;
}

/** Asks the agent that a compile in this shell and folder would use. */
export async function askOwnAgent(
  subject: QuestionSubject,
  environment: Readonly<Record<string, string>>,
): Promise<Asked> {
  const uid = process.getuid?.() ?? 0;
  const paths = launchPaths(environment, uid, process.cwd());
  const { agentPath } = installationAround(import.meta.dirname);
  return { paths, agent: await askAgent(subject, { paths, uid, agentIdentity: agentIdentityOf(agentPath) }) };
}

/** Why there is no answer, for people. */
export function absenceText(kind: "none" | "other-version", paths: LaunchPaths): string {
  return kind === "none"
    ? `No agent runs (socket ${paths.socketPath}): the next compile starts one.`
    : `The agent at ${paths.socketPath} is of another version: the next compile replaces it.`;
}
