import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChangelog, readChangelog, renderDebianChangelog } from "./changelog.ts";
import { version } from "@homcc/config/version";

test("the newest version of CHANGELOG.md is that of the programs", async () => {
  const [latest] = await readChangelog();
  assert.equal(latest?.version, version);
  assert.ok((latest?.changes.length ?? 0) > 0);
});

test("Debian's changelog has all versions, changes and dates in its own form", () => {
  const releases = parseChangelog(
    "# Changes\n\nFor users.\n\n## 2.1.0 (2027-01-02)\n\n- One `thing`\n  more.\n- Another.\n\n## 2.0.0 (2026-11-25)\n\n- First.\n",
  );
  assert.equal(
    renderDebianChangelog("homcc", "A <a@b.invalid>", releases),
    `homcc (2.1.0) unstable; urgency=medium

  * One thing more.
  * Another.

 -- A <a@b.invalid>  Sat, 02 Jan 2027 12:00:00 +0000

homcc (2.0.0) unstable; urgency=medium

  * First.

 -- A <a@b.invalid>  Wed, 25 Nov 2026 12:00:00 +0000
`,
  );
});

test("a heading in another form is refused", () => {
  assert.throws(() => parseChangelog("## 2.1.0\n\n- One.\n"), /## VERSION \(YEAR-MONTH-DAY\)/);
});
