import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { askAgent } from "./ask-agent.ts";
import { launchPaths, preparePrivateFolder } from "./paths.ts";
import { serveLaunches, type ServeLaunchesOptions } from "./server.ts";

const uid = process.getuid?.() ?? 0;
const agentIdentity = "1:2:3:4";

function place(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "homcc-ask-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const paths = launchPaths({ HOMCC_DIR: folder }, uid, "/");
  preparePrivateFolder(paths.folder, uid);
  return { paths, uid, agentIdentity };
}

async function serve(t: TestContext, path: string, options: Partial<ServeLaunchesOptions>): Promise<void> {
  const onLaunch = async (): Promise<void> => {};
  const server = await serveLaunches({
    path,
    identity: agentIdentity,
    closeGraceMs: 0,
    onLaunch,
    ...options,
  });
  t.after(() => server.close());
}

test("an agent answers, and goes on", async (t) => {
  const asked = place(t);
  let retired = 0;
  const onQuestion = async (subject: string): Promise<string> => JSON.stringify({ subject });
  await serve(t, asked.paths.socketPath, { onQuestion, onRetired: () => (retired += 1) });
  for (const subject of ["status", "stats", "zero-stats"] as const) {
    const text = JSON.stringify({ subject });
    assert.deepEqual(await askAgent(subject, asked), { kind: "answered", text });
  }
  const other = await askAgent("status", { ...asked, agentIdentity: "5:6:7:8" });
  assert.deepEqual([other, retired], [{ kind: "other-version" }, 0]);
});

test("no agent, an agent that knows no questions, one that fails", async (t) => {
  const asked = place(t);
  assert.deepEqual(await askAgent("status", asked), { kind: "none" });
  const errors: unknown[] = [];
  await serve(t, asked.paths.socketPath, {
    onQuestion: () => Promise.reject(new Error("a bug")),
    onError: (error) => errors.push(error),
  });
  assert.deepEqual(await askAgent("status", asked), { kind: "other-version" });
  assert.equal(errors.length, 1);
  const older = place(t);
  await serve(t, older.paths.socketPath, {});
  assert.deepEqual(await askAgent("status", older), { kind: "other-version" });
});

test("an agent that does not answer is an error that says where to look", async (t) => {
  const asked = place(t);
  const server = createServer(() => {});
  server.listen(asked.paths.socketPath);
  await once(server, "listening");
  t.after(() => server.close());
  await assert.rejects(askAgent("status", { ...asked, timeoutMs: 50 }), (error: unknown) => {
    assert.ok(hasCode(error, "ERR_HOMCC_UNAVAILABLE"));
    assert.match(error.hint ?? "", /agent\.log/);
    return true;
  });
});
