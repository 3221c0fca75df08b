import { chmod, mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDockerEngine } from "../../support/docker-engine.ts";
import { type Files, writeFiles } from "../../support/files.ts";
import { removeFolder } from "../../support/remove-folder.ts";
import { hasProgram } from "../../support/requirements.ts";
import { hasSandboxTree } from "../../support/sandbox-tree.ts";
import { addSchrootProfile } from "../../support/schroot-profile.ts";
import { startServer } from "../../support/server.ts";
import { startSshServer } from "../../support/ssh-server.ts";
import { startV1Server, type V1Conversation } from "../../support/v1-peer.ts";
import { startV1Relay } from "../../support/v1-relay.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";
import type { PlaceName } from "./table.ts";

const projectFiles: Files = {
  "include/words.h": '#pragma once\n#include "empty.h"\n#define WORD "word"\n',
  "include/empty.h": "",
  "src/one.c": `#include <limits.h>
#include "words.h"
int two(void);
const char *one(void) { return WORD __VERSION__ __FILE__; }
int main(void) { return two() + INT_MAX % 7; }
`,
  "src/two.c": "int two(void) { return sizeof __FILE__; }\n",
};

/** What all cells of the table share: a project, a developer's machine, and servers of both kinds with ways to them. */
export interface PairingSite extends AsyncDisposable {
  readonly project: string;
  readonly fileNames: readonly string[];
  readonly workplace: Workplace;
  /** Of our server; of the 1.x server; of the relay that writes anew what a 1.x client says to that one. */
  readonly ports: Readonly<Record<ServerEnd, number>>;
  /** Ports of this machine that ssh forwards to those. Only where there is an sshd. */
  readonly forwardedPorts: Readonly<Record<ServerEnd, number>> | undefined;
  readonly sshConfigFile: string;
  readonly profile: string;
  readonly container: string;
  /** Of programs that are to find the container. */
  readonly variables: Readonly<Record<string, string>>;
  /** What the 1.x server has heard. */
  readonly conversations: readonly V1Conversation[];
}

export type ServerEnd = "ours" | "v1" | "relay";

/** Places that this machine cannot offer are missing in it. */
export async function openPairingSite(canOffer: (place: PlaceName) => boolean): Promise<PairingSite> {
  await using stack = new AsyncDisposableStack();
  const folder = await realpath(await mkdtemp(join(tmpdir(), "homcc-pairings-")));
  stack.defer(() => removeFolder(folder));
  // A homccd that is started as root serves as another user.
  await chmod(folder, 0o755);
  const project = join(folder, "project");
  await writeFiles(project, projectFiles);
  const container = "box";
  const engine = canOffer("docker") ? stack.use(await startDockerEngine("nogroup")) : undefined;
  const tmpShared = ["--volume", "/tmp:/tmp"];
  await engine?.docker("run", "--name", container, ...tmpShared, "-dit", "tree", "sleep", "infinity");
  const profile = canOffer("schroot")
    ? stack.use(await addSchrootProfile({ "root-users": "root" }))
    : undefined;
  const variables = engine?.variables ?? {};
  const ours = stack.use(await startServer({ variables }));
  const v1 = stack.use(await startV1Server(4, 0, variables));
  const relay = stack.use(await startV1Relay(v1.port));
  const ssh = canOffer("ssh") ? stack.use(await startSshServer(join(folder, "sshd"))) : undefined;
  const forward = async (port: number): Promise<number> =>
    ssh === undefined ? 0 : stack.use(await ssh.forward(port)).port;
  const forwarded = { ours: await forward(ours.port), v1: await forward(v1.port) };
  const farRelay = stack.use(await startV1Relay(forwarded.v1));
  const workplace = stack.use(await createWorkplace());
  const resources = stack.move();
  return {
    project,
    fileNames: Object.keys(projectFiles),
    workplace,
    ports: { ours: ours.port, v1: v1.port, relay: relay.port },
    forwardedPorts: ssh && { ...forwarded, relay: farRelay.port },
    sshConfigFile: ssh?.configFile ?? "",
    profile: profile?.name ?? "",
    container,
    variables,
    conversations: v1.conversations,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

export function hasSandboxes(program: "dockerd" | "schroot"): boolean {
  return process.getuid?.() === 0 && hasProgram(program) && hasSandboxTree();
}
