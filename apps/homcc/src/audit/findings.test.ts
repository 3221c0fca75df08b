import assert from "node:assert/strict";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "@homcc/observability/log";
import { recordMalformedInput } from "../../../../test/support/reliability.ts";
import { scratchFolder } from "../remote/scratch-folder.fixture.ts";
import { type Finding, Findings } from "./findings.ts";

const finding: Finding = {
  atMs: 1_000_000,
  host: "a:1",
  serverVersion: "homccd 2.0.0",
  signature: { text: "gcc c -O2", id: "1" },
  driver: "/usr/bin/gcc",
  toolchain: "t",
  source: "/p/a.c",
  what: "a.o",
  bundle: "/b",
};

async function withFile(
  body: (place: { open: () => Findings; path: string; pass: (ms: number) => void }) => Promise<void>,
): Promise<void> {
  await using scratch = await scratchFolder();
  let nowMs = finding.atMs;
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const path = join(scratch.path, "agent", "findings.json");
  await body({ open: () => new Findings(path, silentLogger, clock), path, pass: (ms) => (nowMs += ms) });
}

test("they outlive their agent, and another process clears them", () =>
  withFile(async ({ open, path }) => {
    const findings = open();
    assert.deepEqual(findings.all, []);
    findings.add(finding);
    assert.deepEqual(open().all, [finding]);
    assert.match(await readFile(path, "utf8"), /^\[\{"atMs"/);
    open().clear();
    assert.deepEqual(findings.all, []);
  }));

test("they end after a week, and no more than 64 are kept", () =>
  withFile(async ({ open, pass }) => {
    const findings = open();
    for (let n = 0; n < 70; n++) findings.add({ ...finding, source: `/p/${n}.c` });
    assert.deepEqual([open().all.length, open().all[0]?.source], [64, "/p/6.c"]);
    pass(7 * 24 * 3_600_000 + 1);
    assert.deepEqual([findings.all, open().all], [[], []]);
  }));

test("another version of the server or another toolchain ends those of the one before, and no others", () =>
  withFile(async ({ open }) => {
    const findings = open();
    const unknown = { ...finding, host: "b:1", serverVersion: undefined };
    findings.add(finding);
    findings.add(unknown);
    findings.noteServer("a:1", "homccd 2.0.0");
    findings.noteServer("b:1", "homccd 2.0.0");
    findings.noteToolchain("/usr/bin/gcc", "t");
    findings.noteToolchain("/usr/bin/clang", "u");
    assert.equal(findings.all.length, 2);
    findings.noteServer("a:1", "homccd 2.0.1");
    assert.deepEqual(
      findings.all.map(({ host }) => host),
      ["b:1"],
    );
    findings.noteToolchain("/usr/bin/gcc", "u");
    assert.deepEqual(open().all, []);
  }));

test("a damaged file is no findings, and what of it can be read counts", () =>
  withFile(async ({ open, path }) => {
    open().add(finding);
    for (const text of ["", "{", "null", '{"a":1}', "[1,null,{}]"]) {
      await writeFile(path, text);
      assert.deepEqual(open().all, [], text);
    }
    await writeFile(path, JSON.stringify([{ ...finding, host: 7 }, finding]));
    assert.deepEqual(open().all, [finding]);
    recordMalformedInput("the file of what audits found", { tried: 6, crashes: 0 });
  }));

test("a file that cannot be replaced costs memory of them only after the agent", () =>
  withFile(async ({ open, path }) => {
    const findings = open();
    findings.add(finding);
    await mkdir(`${path}.${process.pid}.part`);
    findings.add(finding);
    assert.equal(findings.all.length, 2);
  }));

test("a folder that is out of reach is one without findings", () =>
  withFile(async ({ open, path }) => {
    const findings = open();
    findings.add(finding);
    await rename(dirname(path), `${dirname(path)}-elsewhere`);
    await writeFile(dirname(path), "");
    assert.deepEqual(findings.all, []);
    findings.add(finding);
    assert.equal(findings.all.length, 1);
  }));

test("what another version found stays for it; a file that is another's is told of, and replaced by the next finding", () =>
  withFile(async ({ open, path }) => {
    const foreign = { version: 2, found: "2030-01-01" };
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, JSON.stringify([foreign, finding, { ...finding, atMs: 1e300 }]));
    const findings = open();
    assert.deepEqual(findings.all, [finding]);
    findings.add({ ...finding, source: "/p/b.c" });
    const kept: unknown = JSON.parse(await readFile(path, "utf8"));
    assert.deepEqual(kept, [foreign, { ...finding, atMs: 1e300 }, finding, { ...finding, source: "/p/b.c" }]);
    findings.clear();
    assert.equal(await readFile(path, "utf8"), "[]\n");
    await writeFile(path, JSON.stringify({ version: 2, findings: [finding] }));
    assert.deepEqual(open().all, []);
    open().add(finding);
    assert.deepEqual(open().all, [finding]);
  }));
