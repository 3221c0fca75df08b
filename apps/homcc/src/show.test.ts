import assert from "node:assert/strict";
import { test } from "node:test";
import { type LoadedSettings, loadSettings } from "@homcc/config/load";
import { showConcurrency, showHosts, showVariables } from "./show.ts";

async function load(hosts: string): Promise<LoadedSettings> {
  const environment = { HOME: "/nonexistent", HOMCC_HOSTS: hosts };
  return loadSettings({ environment, systemFolder: "/nonexistent" });
}

test("--show-hosts prints the lines, -j the sum of their limits", async () => {
  const loaded = await load("localhost\nremote/12 # comment\n[FC00::1] : 3126 / 42 , lzo\nme@ssh/7");
  assert.deepEqual(showHosts(loaded).stdout, "localhost\nremote/12\n[FC00::1]:3126/42,lzo\nme@ssh/7\n");
  assert.deepEqual(showConcurrency(loaded), { status: 0, stdout: "63\n", stderr: "" });
});

test("without hosts both end with 66 and a hint", async () => {
  const loaded = await load("");
  for (const shown of [showHosts(loaded), showConcurrency(loaded)]) {
    assert.deepEqual([shown.status, shown.stdout], [66, ""]);
    assert.equal(
      shown.stderr,
      "[HOMCC-ERROR] No hosts are configured (set HOMCC_HOSTS or write ~/.homcc/hosts)\n",
    );
  }
  const bad = showHosts(await load("a:b"));
  assert.equal(bad.status, 66);
  assert.match(
    bad.stderr,
    /^\[HOMCC-WARNING\] HOMCC_HOSTS:1:3: .*\n\[HOMCC-ERROR\] None of the configured hosts/,
  );
});

test("--show-variables prints those that are set", () => {
  const shown = showVariables({ HOMCC_VERBOSE: "1", HOMCC_HOSTS: "a\nb", HOMCC_COMPRESSION: "", OTHER: "x" });
  assert.deepEqual(shown, { status: 0, stdout: "HOMCC_VERBOSE: 1\nHOMCC_HOSTS: a\nb\n", stderr: "" });
});
