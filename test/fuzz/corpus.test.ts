/** What fuzzing found once is tried by every run of the tests: test/fuzz/corpus has a folder for each target. */
import { suite, test } from "node:test";
import { relative } from "node:path";
import { repository } from "../support/repository.ts";
import { readCorpus } from "./corpus.ts";
import { Random } from "./random.ts";
import { targets } from "./targets.ts";

/** Inputs of the grammar that every run tries too. */
const freshInputs = 50;
const freshProcessInputs = 4;

for (const target of targets) {
  const why = target.unavailable?.();
  suite(`whatever comes, ${target.property} (${target.name})`, { skip: why ?? false }, () => {
    for (const { path, bytes } of readCorpus(target.name))
      test(relative(repository, path), async () => {
        await target.check(bytes);
      });
    const count = target.startsProcesses === true ? freshProcessInputs : freshInputs;
    test(`${count} generated inputs`, async () => {
      const random = new Random(1);
      for (let left = count; left > 0; left--) await target.check(Buffer.from(target.generate(random)));
    });
    test("ends what it started", () => target.close?.());
  });
}
