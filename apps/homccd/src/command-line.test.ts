import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultMinFreeBytes } from "@homcc/cas/free-space";
import { parseServerCommandLine, type ServerCommand } from "./command-line.ts";

async function parse(
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ServerCommand> {
  return parseServerCommandLine(argv, {
    environment: { HOME: "/nonexistent", ...environment },
    systemFolder: "/nonexistent",
  });
}

test("settings come from the command line, the environment and the file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homccd-command-line-"));
  try {
    await writeFile(join(folder, "homcc.conf"), "[homccd]\nlimit=5\nport=5\naddress=::1\n");
    const environment = { HOMCC_DIR: folder, HOMCCD_PORT: "6", HOMCCD_LIMIT: "6" };
    const command = await parse(["-j", "7", "--verbose", "--max-dependency-cache-size=20M"], environment);
    assert.ok(command.kind === "serve");
    const { limit, port, addresses, logLevel, maxDependencyCacheBytes } = command.settings;
    assert.deepEqual(
      [limit, port, addresses, logLevel, maxDependencyCacheBytes],
      [7, 6, ["::1"], "DEBUG", 20 << 20],
    );
    const withoutFile = await parse(["--no-config"], environment);
    assert.ok(withoutFile.kind === "serve");
    assert.deepEqual(withoutFile.settings.addresses, ["0.0.0.0"]);
    assert.equal(withoutFile.settings.minFreeBytes, defaultMinFreeBytes, "what clients take it for");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a bad value in the configuration ends with 78 and names every place", async () => {
  const command = await parse([], { HOMCCD_PORT: "x", HOMCCD_ALLOW: "everyone" });
  assert.ok(command.kind === "exit");
  assert.equal(command.status, 78);
  assert.match(command.stderr, /^\[ERROR\] .*HOMCCD_PORT: 'x' is not allowed \(allowed: .*\n.*HOMCCD_ALLOW/m);
});

test("a bad command line ends with 2", async () => {
  for (const argv of [["--port", "x"], ["--bogus"], ["-h"], ["surplus"], ["--port"]]) {
    const command = await parse(argv);
    assert.ok(
      command.kind === "exit" && command.status === 2 && command.stderr.startsWith("[ERROR]"),
      argv.join(" "),
    );
  }
});

test("--help, --version and --profiles, where there are none, print and end with 0", async () => {
  for (const [flag, text] of [
    ["--help", "Usage: homccd"],
    ["--version", "homccd 2."],
    ["--profiles", "No profiles"],
  ] as const) {
    const command = await parse([flag], { PATH: "/nonexistent" });
    assert.ok(command.kind === "exit" && command.status === 0 && command.stderr === "");
    assert.ok(command.stdout.startsWith(text));
  }
});

test("an unknown key only warns: a file may be written for a later version", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homccd-command-line-"));
  try {
    await writeFile(join(folder, "homcc.conf"), "[homccd]\nfuture=1\n");
    const command = await parse([], { HOMCC_DIR: folder });
    assert.ok(command.kind === "serve");
    assert.match(command.warnings.join("\n"), /unknown key 'future'/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
