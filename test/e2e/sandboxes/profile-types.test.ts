/** The types of schroot profiles, through a real schroot: what comes back is what the profile's own compiler gives. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { type CommandResult, runCommand } from "../../support/command.ts";
import { writeFiles } from "../../support/files.ts";
import { homccProgram } from "../../support/repository.ts";
import { hasProgram, meets } from "../../support/requirements.ts";
import { compareWithSandbox, namespaceCommands, sandboxCommands } from "../../support/sandbox-site.ts";
import { hasSandboxTree, sandboxTree } from "../../support/sandbox-tree.ts";
import { addSchrootProfile, type SchrootProfile } from "../../support/schroot-profile.ts";
import { startServer } from "../../support/server.ts";
import { createWorkplace, systemPath } from "../../support/workplace.ts";

/** Every profile here is made of one tree, so that one session serves for what its compiler gives. */
let reference: SchrootProfile | undefined;
const ownSession = `homcc-test-types-${process.pid}`;

before(async () => {
  if (process.getuid?.() !== 0 || !hasProgram("schroot") || !hasSandboxTree()) return;
  reference = await addSchrootProfile();
  await schroot("--begin-session", "--chroot", `chroot:${reference.name}`, "--session-name", ownSession);
});

after(async () => {
  if (reference === undefined) return;
  await schroot("--end-session", "--chroot", `session:${ownSession}`);
  await reference[Symbol.asyncDispose]();
});

const schroot = (...words: readonly string[]): Promise<CommandResult> =>
  runCommand(["schroot", ...words], { cwd: "/", environment: { PATH: systemPath } });

const inside = (script: string): Promise<CommandResult> =>
  schroot("--run-session", "--chroot", `session:${ownSession}`, "--directory", "/", "--", "sh", "-c", script);

const meetsAll = (t: TestContext): boolean => meets(t, "root", { program: "schroot" }, "sandbox tree");

/** What of the tree a compile and schroot's set-up need, as a tar file. */
async function packTree(folder: string): Promise<string> {
  const file = join(folder, "tree.tar");
  const parts = ["bin", "sbin", "lib", "lib64", "etc", "dev", "home", "proc", "sys", "tmp", "usr"];
  const without = ["usr/share", "usr/lib/locale", "usr/lib/systemd"].map((path) => `--exclude=${path}`);
  const words = ["tar", "--create", `--file=${file}`, `--directory=${sandboxTree}`, ...without, ...parts];
  const { status, stderr } = await runCommand(words, { cwd: "/", environment: { PATH: systemPath } });
  assert.equal(status, 0, stderr);
  return file;
}

type Lines = Readonly<Record<string, string>>;

async function compare(lines: Lines, executor: string, commands: readonly string[]): Promise<void> {
  await using profile = await addSchrootProfile(lines);
  await using server = await startServer({
    executor: executor === "schroot-mapped" && lines["type"] !== "file" ? "mapped" : "namespace",
  });
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: true });
  await compareWithSandbox(commands, workplace, { HOMCC_SCHROOT_PROFILE: profile.name }, inside);
  const jobs = await workplace.jobs(commands.length);
  assert.deepEqual(new Set(jobs.map((job) => job.executor)), new Set([executor]), server.log());
}

test("type=file: a session of what is unpacked, with mapped paths", async (t) => {
  if (!meetsAll(t)) return;
  const folder = await mkdtemp("/var/tmp/homcc-test-tar-");
  try {
    const file = await packTree(folder);
    await compare({ type: "file", file, directory: "" }, "schroot-mapped", sandboxCommands);
  } finally {
    await rm(folder, { recursive: true });
  }
});

const union = { "union-type": "overlay" };

test("union-type=overlay: in namespaces over the folder below it, as nothing is written to it", async (t) => {
  if (!meetsAll(t)) return;
  await compare(union, "schroot", [...sandboxCommands, ...namespaceCommands]);
});

test("union-type=overlay: with mapped paths in a session", async (t) => {
  if (!meetsAll(t)) return;
  await compare(union, "schroot-mapped", sandboxCommands);
});

const plain = { type: "plain", profile: "" };

test("type=plain: in namespaces over the folder", async (t) => {
  if (!meetsAll(t)) return;
  await compare(plain, "schroot", [...sandboxCommands, ...namespaceCommands]);
});

test("type=plain with mapped paths: nothing is mounted there, and the message does not send one to a fstab", async (t) => {
  if (!meetsAll(t)) return;
  await using profile = await addSchrootProfile(plain);
  await using server = await startServer({ executor: "mapped" });
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: true });
  await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
  const environment = workplace.environment({ HOMCC_SCHROOT_PROFILE: profile.name });
  const { status, stderr } = await workplace.run([homccProgram, "g++", "-c", "a.cpp"], { environment });
  assert.equal(status, 69);
  assert.match(stderr, /does not share \/tmp: .*\(make it type=directory, whose set-up mounts \/tmp/);
});
