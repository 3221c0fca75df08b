/** Stores and caches that hold what this version does not understand: builds go on, and the objects are right. */
import assert from "node:assert/strict";
import { chown, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { type KeptFormat, keptFormats, spoil, type Spoiling, spoilings } from "../../support/kept-formats.ts";
import { assertNoLeaks } from "../../support/leaks.ts";
import { agentsOf, isAlive } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { repository } from "../../support/repository.ts";
import { type Server, startServer } from "../../support/server.ts";
import { assertSameUnit, unitCompile } from "../../support/unit-compile.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

/** What a build does not make: other clients, an administrator, an audit and DNS do. */
const otherFiles: Readonly<Record<KeptFormat["place"], Readonly<Record<string, string>>>> = {
  store: { "sha1-index": `${"cd".repeat(32)} ${"ef".repeat(32)}/5\n`, "toolchain-folders": "/opt\n" },
  identity: {},
  agent: {
    "pools.json": '{"_homcc._tcp.example.com":{"atMs":1,"members":[]}}\n',
    "audit/findings.json": "[]\n",
    "unfinished/0123456789-1:1:1": '"/none"\n',
  },
};

/** Not made here: by paired clients, and by those that bring a toolchain. */
const rare = new Set(["seen", "toolchain-manifests"]);

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Every file, with the row that it belongs to: one that belongs to none is missing in docs/kept-files.md. */
async function keptBelow(
  place: KeptFormat["place"],
  folder: string,
): Promise<readonly { readonly path: string; readonly format: KeptFormat }[]> {
  return (await filesBelow(folder)).flatMap((path) => {
    const format = keptFormats.find((each) => each.place === place && each.pattern.test(path));
    assert.ok(format !== undefined, `${place}/${path} has no row`);
    return format.isScratch === true ? [] : [{ path: join(folder, path), format }];
  });
}

async function writeUnits(workplace: Workplace, value: number): Promise<void> {
  await writeFile(join(workplace.project, "shared.h"), `#define VALUE ${value}\n`);
  for (const name of ["one", "two"]) {
    await writeFile(
      join(workplace.project, `${name}.cpp`),
      `#include <string>\n#include "shared.h"\nstd::string ${name}() { return std::to_string(VALUE); }\n`,
    );
  }
}

async function build(workplace: Workplace, server: Server): Promise<void> {
  const environment = workplace.environment({
    HOMCC_HOSTS: `${server.address}/4`,
    HOMCC_CLIENT_CACHE_SIZE: "100M",
  });
  for (const name of ["one", "two"]) {
    const { status, stderr } = await workplace.run(unitCompile(name), { environment });
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    await assertSameUnit(workplace, name);
  }
}

/** What is cut off may be worth as much as it was, but for the end. */
function isToldOf({ told }: KeptFormat, spoiling: Spoiling): boolean {
  if (spoiling === "a folder" || spoiling === "unreadable") return told !== undefined;
  return told === "always" && spoiling !== "cut off";
}

/** As at a log-out: it writes what it keeps. */
async function endAgent(workplace: Workplace): Promise<void> {
  const agents = agentsOf(workplace.homccFolder);
  for (const { pid } of agents) process.kill(pid, "SIGTERM");
  await waitFor("the agent to end", () => agents.every(({ pid }) => !isAlive(pid)));
}

interface Kept {
  readonly path: string;
  readonly format: KeptFormat;
  readonly content: Buffer;
}

/** What a build has left, and the files that others make. */
async function keptFiles(workplace: Workplace): Promise<readonly Kept[]> {
  const kept: Kept[] = [];
  for (const [place, folder] of [
    ["store", join(workplace.folder, "store")],
    ["agent", join(workplace.homccFolder, "agent")],
  ] as const) {
    for (const [path, text] of Object.entries(otherFiles[place])) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text, { mode: 0o666 });
    }
    for (const { path, format } of await keptBelow(place, folder))
      kept.push({ path, format, content: await readFile(path) });
  }
  return kept;
}

async function restore({ path, content }: Kept): Promise<void> {
  const { uid, gid } = await stat(dirname(path));
  await rm(path, { recursive: true, force: true });
  await writeFile(path, content);
  await chown(path, uid, gid);
}

test("builds over stores and caches of a newer version, cut off, of noise, with folders in place of files, and unreadable", async () => {
  await using workplace = await createWorkplace();
  const store = { storeFolder: join(workplace.folder, "store"), resultCache: true } as const;
  const agentLog = join(workplace.homccFolder, "run", "agent.log");
  await writeUnits(workplace, 1);
  {
    await using server = await startServer(store);
    await build(workplace, server);
    await endAgent(workplace);
  }
  const kept = await keptFiles(workplace);
  for (const { name, place, isScratch } of keptFormats) {
    if (place === "identity" || isScratch === true || rare.has(name)) continue;
    assert.ok(
      kept.some(({ format }) => format.name === name),
      `${name} was not made`,
    );
  }
  for (const [round, spoiling] of spoilings.entries()) {
    for (const file of kept) await restore(file);
    for (const { path, format } of kept) spoil(path, spoiling, format);
    await rm(agentLog, { force: true });
    await using server = await startServer(store);
    await writeUnits(workplace, 1);
    await build(workplace, server);
    await writeUnits(workplace, round + 2);
    await build(workplace, server);
    await endAgent(workplace);
    const log = server.log() + (await readFile(agentLog, "utf8"));
    assert.doesNotMatch(log, /\b(?:ERROR|CRITICAL)\b|^\s+at /m, spoiling);
    const untold = kept.filter(
      ({ path, format }) => isToldOf(format, spoiling) && !new RegExp(`${path}[ ']`).test(log),
    );
    assert.deepEqual(
      untold.map(({ path }) => path),
      [],
      spoiling,
    );
    await assertNoLeaks({ servers: [server] });
  }
  recordSurvived(
    "Files of stores and caches are of a newer version, cut off, noise, folders, or unreadable",
    spoilings.length * new Set(kept.map(({ format }) => format)).size,
  );
});

test("a file in the place of a folder that homccd needs ends its start with an error that names it", async () => {
  await using workplace = await createWorkplace();
  for (const name of ["blobs", "control", "toolchains", "toolchain-manifests"]) {
    const storeFolder = join(workplace.folder, `store-${name}`);
    await mkdir(storeFolder);
    await writeFile(join(storeFolder, name), "of somebody else");
    await assert.rejects(startServer({ storeFolder }), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(`the store ${storeFolder} cannot be used .*${storeFolder}/${name}'`),
      );
      return true;
    });
    assert.equal(await readFile(join(storeFolder, name), "utf8"), "of somebody else");
  }
});

test("docs/kept-files.md has a row for each of them, and no other", async () => {
  const text = await readFile(join(repository, "docs/kept-files.md"), "utf8");
  for (const [place, heading] of [
    ["store", "## homccd: `--store`"],
    ["identity", "## homccd: `--identity-dir`"],
    ["agent", "## The agent: "],
  ] as const) {
    const [, section = ""] = text.split(heading);
    const [, table = ""] = section.split("|---|---|---|---|---|\n");
    const rows = (table.split("\n\n")[0] ?? "").trim().split("\n");
    const formats = keptFormats.filter((format) => format.place === place);
    assert.equal(rows.length, formats.length, place);
    assert.deepEqual(
      new Set(rows.map((row) => /^\| `([^`]+)` \|/.exec(row)?.[1])),
      new Set(formats.map(({ name }) => name)),
      place,
    );
  }
});
