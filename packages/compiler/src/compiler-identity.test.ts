import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { test, type TestContext } from "node:test";
import { waitFor } from "../../../test/support/wait-for.ts";
import { CompilerIdentities } from "./compiler-identity.ts";
import { findProgram } from "./find-program.ts";

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const environment = { PATH: searchPath };

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync("/tmp/compiler-identity-");
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function script(path: string, text: string): string {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("gcc and clang are what they answer, under any name", async (t) => {
  const folder = temporaryFolder(t);
  const identities = new CompilerIdentities();
  for (const [name, family] of [
    ["g++", "gcc"],
    ["clang++", "clang"],
  ] as const) {
    const driver = findProgram(name, searchPath);
    if (driver === undefined) return t.skip(`needs ${name}`);
    const link = join(folder, `my-${name}-17`);
    symlinkSync(driver, link);
    for (const path of [driver, link]) {
      const identity = await identities.identify(path, environment);
      assert.ok(identity.family === family, identity.family);
      assert.match(identity.version, /version \d+\./);
      assert.deepEqual([identity.driver, identity.wrapper], [path, false]);
    }
  }
  return undefined;
});

test("a script that runs a compiler is a wrapper of it", async (t) => {
  const folder = temporaryFolder(t);
  for (const [name, family] of [
    ["g++", "gcc"],
    ["clang++", "clang"],
  ] as const) {
    if (findProgram(name, searchPath) === undefined) return t.skip(`needs ${name}`);
    const wrapper = script(join(folder, `wrapped-${family}`), `exec ${name} -DWRAPPED "$@"`);
    const identity = await new CompilerIdentities().identify(wrapper, environment);
    assert.ok(identity.family === family, identity.family);
    assert.deepEqual([identity.wrapper, identity.realPath], [true, wrapper]);
    assert.match(basename(identity.driver), family === "gcc" ? /^g\+\+$/ : /^clang/);
  }
  return undefined;
});

test("other programs, launchers and preprocessors are neither", async (t) => {
  const folder = temporaryFolder(t);
  const identities = new CompilerIdentities();
  const impostor = script(join(folder, "ccache"), 'exec g++ "$@"');
  symlinkSync(impostor, join(folder, "g++"));
  const paths = [
    "/bin/ls",
    "/bin/true",
    "/usr/bin/as",
    "/usr/bin/cpp",
    "/no/such/g++",
    folder,
    impostor,
    join(folder, "g++"),
  ];
  for (const path of paths) {
    const { family } = await identities.identify(path, environment);
    assert.equal(family, "neither", path);
  }
});

test("ccache's masquerade link is no compiler", async (t) => {
  if (!existsSync("/usr/lib/ccache/g++")) return t.skip("needs ccache");
  const { family } = await new CompilerIdentities().identify("/usr/lib/ccache/g++", environment);
  assert.equal(family, "neither");
  return undefined;
});

test("a program is asked once, and again after it changed", async (t) => {
  const folder = temporaryFolder(t);
  const log = join(folder, "log");
  writeFileSync(log, "");
  const wrapper = join(folder, "cc");
  script(wrapper, `echo x >> ${log}\nexec gcc "$@"`);
  const identities = new CompilerIdentities();
  const calls = (): number => readFileSync(log, "utf8").length / 2;
  const [first] = await Promise.all([1, 2, 3].map(() => identities.identify(wrapper, environment)));
  assert.equal(first?.family, "gcc");
  await identities.identify(wrapper, environment);
  assert.equal(calls(), 1);
  script(wrapper, `echo x >> ${log}\necho changed, and no compiler`);
  assert.equal((await identities.identify(wrapper, environment)).family, "neither");
  assert.equal(calls(), 2);
});

test("a program that was killed before it answered is asked again", async (t) => {
  const folder = temporaryFolder(t);
  const wrapper = join(folder, "cc");
  const mark = join(folder, "killed");
  // Beside the program itself, whose stat stays.
  mkdirSync(join(folder, "program"));
  script(join(folder, "program", "cc"), `test -e ${mark} && kill -9 $$\nexec gcc "$@"`);
  symlinkSync(join(folder, "program", "cc"), wrapper);
  const identities = new CompilerIdentities();
  writeFileSync(mark, "");
  assert.equal((await identities.identify(wrapper, environment)).family, "neither");
  unlinkSync(mark);
  await waitFor("the other answer", async () => {
    const { family } = await identities.identify(wrapper, environment);
    return family === "gcc";
  });
  // From here on it is known, whatever would become of another question.
  writeFileSync(mark, "");
  assert.equal((await identities.identify(wrapper, environment)).family, "gcc");
});
