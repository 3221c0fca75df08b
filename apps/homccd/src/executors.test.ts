import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import { describeError, hasCode } from "@homcc/observability/error";
import { createLogger } from "@homcc/observability/log";
import { chooseExecutor, type ExecutorOptions } from "./executors.ts";
import { StoreFence } from "./store-fence.ts";
import { ToolchainRegistry } from "./toolchain-registry.ts";

const builtRunner = new URL("../../../dist/runner", import.meta.url).pathname;

async function choose(options: Pick<ExecutorOptions, "choice" | "runner">): Promise<{
  readonly name: string | undefined;
  readonly error: unknown;
  readonly log: readonly string[];
  readonly unavailable: readonly { readonly executor: string; readonly reason: string }[];
}> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  const log: string[] = [];
  const logger = createLogger(
    "INFO",
    (level, text) => `${level} ${text}`,
    (line) => log.push(line),
  );
  const toolchains = new ToolchainRegistry(new ToolchainInspector(), new StoreFence(folder));
  try {
    const { executor, unavailable } = await chooseExecutor({
      ...options,
      replay: undefined,
      store: new MemoryBlobStore(),
      toolchains,
      folder,
      startFreeBytes: 0,
      toolchainCacheBytes: 1 << 30,
      logger,
    });
    await (await executor.openSession()).close();
    return { name: executor.name, error: undefined, log, unavailable };
  } catch (error) {
    return { name: undefined, error, log, unavailable: [] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("the best that works, or the one the administrator names; the log says what works", async (t) => {
  if (!existsSync(builtRunner)) return t.skip("needs dist/runner");
  const best = await choose({ choice: "auto", runner: builtRunner });
  const working = best.log.flatMap((line) => /^INFO executor (\w+): works here/.exec(line)?.[1] ?? []);
  assert.ok(working.length > 0, best.log.join(""));
  assert.equal(best.name, working[0]);
  for (const choice of ["namespace", "mapped"] as const) {
    const { name, error, unavailable } = await choose({ choice, runner: builtRunner });
    if (working.includes(choice)) assert.equal(name, choice);
    const other = choice === "mapped" ? "namespace" : "mapped";
    if (working.length === 2)
      assert.deepEqual(unavailable, [{ executor: other, reason: `option executor is ${choice}` }]);
    else assert.ok(hasCode(error, "ERR_HOMCC_CONFIGURATION"));
  }
});

test("a job runner that does not work, that hangs up, that is missing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    const broken = join(folder, "runner");
    await writeFile(broken, "#!/bin/sh\nexit 3\n");
    await chmod(broken, 0o755);
    for (const runner of [broken, join(folder, "missing")]) {
      for (const choice of ["auto", "namespace", "mapped"] as const) {
        const { error, log } = await choose({ choice, runner });
        assert.ok(hasCode(error, "ERR_HOMCC_CONFIGURATION"), describeError(error));
        assert.match(describeError(error), new RegExp(`executor ${choice} does not work`));
        assert.equal(log.filter((line) => line.startsWith("WARNING executor ")).length, 2);
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
