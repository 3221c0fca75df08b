/** Each fuzzer for some seconds, for the table of malformed inputs; `npm run fuzz` is for longer and for single ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordMalformedInput } from "../support/reliability.ts";
import { fuzzInThread } from "./fuzz-thread.ts";
import { targets } from "./targets.ts";

const secondsEach = 8;

for (const target of targets)
  test(
    `whatever comes, ${target.property} (${target.name})`,
    { skip: target.unavailable?.() ?? false },
    async () => {
      const seed = Date.now() % 1_000_000;
      const { tried, findings } = await fuzzInThread(target, { seconds: secondsEach, seed, grow: false });
      assert.deepEqual(findings, [], `--seed ${seed}`);
      recordMalformedInput(target.name, { tried, crashes: 0 });
    },
  );
