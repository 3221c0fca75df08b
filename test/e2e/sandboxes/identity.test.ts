/** What identifies the compiler of a sandbox: its files, wherever homccd can read them. */
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { runCommand } from "../../support/command.ts";
import { writeFiles } from "../../support/files.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { copySandboxTree } from "../../support/sandbox-tree.ts";
import { addSchrootProfile } from "../../support/schroot-profile.ts";
import { startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, systemPath, type Workplace } from "../../support/workplace.ts";

const meetsAll = (t: TestContext): boolean => meets(t, "root", { program: "schroot" }, "sandbox tree");

/** What homcc says about the profile's compiler: nothing when it is this machine's. */
async function compileIn(workplace: Workplace, profile: string): Promise<string> {
  const environment = workplace.environment({ HOMCC_SCHROOT_PROFILE: profile });
  const result = await workplace.run([homccProgram, "g++", "-c", "a.cpp"], { environment });
  assert.equal(result.status, 0, result.stderr);
  return result.stderr;
}

const identityIn = (text: string): string | undefined => /there .* \(([0-9a-f]{12})\)\n$/.exec(text)?.[1];

for (const executor of ["namespace", "mapped"] as const) {
  test(`${executor}: a compiler that changes inside a profile and still says the same version is noticed`, async (t) => {
    if (!meetsAll(t)) return;
    await using tree = await copySandboxTree();
    await using profile = await addSchrootProfile({ directory: tree.root });
    await using server = await startServer({ executor });
    await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: true });
    await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
    const before = identityIn(await compileIn(workplace, profile.name));
    assert.ok(before !== undefined);
    assert.equal(await compileIn(workplace, profile.name), "", "said once");
    const asked = ["chroot", tree.root, "g++", "-print-prog-name=cc1plus"];
    const { stdout } = await runCommand(asked, {
      cwd: "/",
      environment: { PATH: `/usr/sbin:${systemPath}` },
    });
    assert.match(stdout, /^\/.*cc1plus$/m);
    await appendFile(tree.root + stdout.trim(), "\0");
    const after = await waitFor("the change to be noticed", async () =>
      identityIn(await compileIn(workplace, profile.name)),
    );
    assert.notEqual(after, before);
  });
}

test("the same toolchain in a profile is known as the same: nothing is said", async (t) => {
  if (!meetsAll(t)) return;
  await using profile = await addSchrootProfile({ type: "plain", directory: "/", profile: "minimal" });
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: true });
  await writeFiles(workplace.project, { "a.cpp": "int x;\n" });
  assert.equal(await compileIn(workplace, profile.name), "");
});
