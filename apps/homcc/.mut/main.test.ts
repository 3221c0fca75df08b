import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const entry = join(import.meta.dirname, "main.ts");

function homcc(argv: readonly string[], environment: Readonly<Record<string, string>>) {
  return spawnSync(process.execPath, [entry, ...argv], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", ...environment },
  });
}

test("statuses and texts of the command line", () => {
  const hosts = { HOMCC_HOSTS: "a/3 b/4,lzo", HOMCC_VERBOSE: "1" };
  const cases: readonly (readonly [readonly string[], number, RegExp, RegExp])[] = [
    [["--version"], 0, /^homcc \d+\.\d+\.\d+\n$/, /^$/],
    [["--help"], 0, /^Usage: homcc/, /^$/],
    [["--show-hosts"], 0, /^a\/3\nb\/4,lzo\n$/, /^$/],
    [["-j"], 0, /^7\n$/, /^$/],
    [["--host", "c/9", "--show-concurrency"], 0, /^9\n$/, /^$/],
    [["--show-variables"], 0, /^HOMCC_VERBOSE: 1\nHOMCC_HOSTS: a\/3 b\/4,lzo\n$/, /^$/],
    [[], 2, /^$/, /^\[HOMCC-ERROR\] the compiler is missing/],
    [
      ["--docker-container", "a", "--schroot-profile", "b", "g++"],
      2,
      /^$/,
      /^\[HOMCC-ERROR\] Can not specify a schroot/,
    ],
  ];
  for (const [argv, status, stdout, stderr] of cases) {
    const run = homcc(argv, hosts);
    assert.equal(run.status, status, `${argv.join(" ")}: ${run.stderr}`);
    assert.match(run.stdout, stdout);
    assert.match(run.stderr, stderr);
  }
});

test("hosts come from $HOMCC_DIR, and without any the status is 66", () => {
  const folder = mkdtempSync(join(tmpdir(), "homcc-main-"));
  try {
    const without = homcc(["-j"], { HOMCC_DIR: folder });
    assert.equal(without.status, 66);
    assert.match(
      without.stderr,
      /^\[HOMCC-ERROR\] No hosts are configured \(set HOMCC_HOSTS or write ~\/\.homcc\/hosts\)/,
    );
    writeFileSync(join(folder, "hosts"), "localhost\nremote/12\n");
    assert.equal(homcc(["-j"], { HOMCC_DIR: folder }).stdout, "14\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
