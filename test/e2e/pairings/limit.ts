import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { RunningCommand } from "../../support/command.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { startV1Conversation } from "../../support/v1-conversation.ts";
import { askAsV1Client, startV1Server, type V1Answer } from "../../support/v1-peer.ts";
import { startV1Relay } from "../../support/v1-relay.ts";
import { waitFor } from "../../support/wait-for.ts";
import type { PairingSite } from "./pairing-site.ts";
import type { PairingName } from "./table.ts";

const command = ["gcc", "-Iinclude", "-c", "src/one.c", "-o", "one.o"];

/** What becomes of a job at a server whose only slot is taken. */
export const limitTests: Readonly<Record<PairingName, (site: PairingSite) => Promise<void>>> = {
  "our client, our server": async (site) => {
    await using server = await startServer({ limit: 1 });
    const holder = await holdSlot(site, server.port);
    // Not refused: it waits for its turn.
    const running = startOurs(site, server.address);
    await waitFor("the job to be there", async () =>
      (await site.workplace.run([homccProgram, "status"])).stdout.includes("one.c"),
    );
    holder.destroy();
    assert.deepEqual(await ending(running), [0, ""]);
    await rm(join(site.project, "one.o"));
  },

  "1.x client, our server": async (site) => {
    await using server = await startServer({ limit: 1 });
    const holder = await holdSlot(site, server.port);
    const { answer } = await ask(site, server.port);
    assert.deepEqual(answer, { message_type: "ConnectionRefusedMessage", info: "Limit 1 reached" });
    holder.destroy();
    await waitFor("the slot to be free", async () => {
      const { answer: again } = await ask(site, server.port);
      assert.ok(again.return_code === 0 || again.info === "Limit 1 reached", JSON.stringify(again));
      return again.return_code === 0;
    });
  },

  "our client, 1.x server": async (site) => {
    await using full = await startV1Server(0);
    const before = (await site.workplace.jobs()).length;
    const [status, stderr] = await ending(startOurs(site, `127.0.0.1:${full.port}`));
    assert.equal(status, 69, "compiled at home, which is forbidden");
    assert.match(String(stderr), /Limit 0 reached/);
    const [job] = (await site.workplace.jobs(before + 1)).slice(before);
    assert.equal(job?.outcome, "remote-limit");
  },

  "1.x client, 1.x server": async (site) => {
    await using full = await startV1Server(0);
    await using relay = await startV1Relay(full.port);
    const { answer } = await ask(site, relay.port);
    assert.deepEqual(answer, { message_type: "ConnectionRefusedMessage", info: "Limit 0 reached" });
  },
};

async function holdSlot({ project }: PairingSite, port: number): Promise<Socket> {
  const call = { args: command, cwd: project, source: join(project, "src/one.c") };
  const { socket, said } = await startV1Conversation(port, call);
  assert.match(said, /DependencyRequestMessage/);
  return socket;
}

function startOurs({ workplace, project }: PairingSite, hosts: string): RunningCommand {
  return workplace.start([homccProgram, ...command], {
    cwd: project,
    environment: workplace.environment({ HOMCC_HOSTS: hosts }),
  });
}

async function ending(running: RunningCommand): Promise<unknown[]> {
  const { status, stderr } = await running.finished;
  return [status, stderr];
}

function ask({ project, fileNames }: PairingSite, port: number): Promise<V1Answer> {
  const paths = fileNames.map((name) => join(project, name));
  const files = Object.fromEntries(paths.map((path) => [path, path]));
  return askAsV1Client(port, { args: command, cwd: project, files });
}
