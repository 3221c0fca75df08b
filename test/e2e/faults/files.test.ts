/** Files that cannot be read or written: the words and the status of the local compiler, and nothing half done. */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { CommandResult } from "../../support/command.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { removeFolder } from "../../support/remove-folder.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

/** As root, permissions count only without the power to override them. */
const unprivileged =
  process.getuid?.() === 0 ? ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--"] : [];

interface Refusal {
  readonly name: string;
  readonly prepare: (project: string) => Promise<void>;
  readonly command: readonly [compiler: string, ...words: string[]];
}

const refusals: readonly Refusal[] = [
  {
    name: "an unreadable source",
    prepare: (project) => chmod(join(project, "a.c"), 0),
    command: ["gcc", "-c", "a.c", "-o", "a.o"],
  },
  {
    name: "an unreadable header",
    prepare: (project) => chmod(join(project, "h.h"), 0),
    command: ["gcc", "-c", "a.c", "-o", "a.o"],
  },
  {
    name: "an unreadable header that another folder could replace",
    prepare: async (project) => {
      await mkdir(join(project, "inc"));
      await writeFile(join(project, "inc/h.h"), "");
      await chmod(join(project, "h.h"), 0);
    },
    command: ["gcc", "-Iinc", "-c", "a.c", "-o", "a.o"],
  },
  {
    name: "an include folder that must not be searched",
    prepare: async (project) => {
      await mkdir(join(project, "closed"));
      await writeFile(join(project, "closed/h.h"), "#error\n");
      await chmod(join(project, "closed"), 0);
    },
    command: ["gcc", "-Iclosed", "-c", "a.c", "-o", "a.o"],
  },
  {
    name: "an output folder that is missing",
    prepare: async () => {},
    command: ["gcc", "-c", "a.c", "-o", "nowhere/a.o"],
  },
  {
    name: "an output folder that is not writable",
    prepare: async (project) => {
      await mkdir(join(project, "out"));
      await chmod(join(project, "out"), 0o555);
    },
    command: ["gcc", "-c", "a.c", "-o", "out/a.o"],
  },
  {
    name: "an object that is not writable: clang respects it, gcc replaces it",
    prepare: protect("a.o"),
    command: ["clang", "-c", "a.c", "-o", "a.o"],
  },
  {
    name: "assembler text that is not writable",
    prepare: protect("a.s"),
    command: ["gcc", "-S", "a.c", "-o", "a.s"],
  },
  {
    name: "a dependency file that is not writable",
    prepare: protect("a.d"),
    command: ["gcc", "-c", "a.c", "-o", "a.o", "-MD"],
  },
];

function protect(name: string): Refusal["prepare"] {
  return (project) => writeFile(join(project, name), "old", { mode: 0o444 });
}

for (const { name, prepare, command } of refusals) {
  test(name, async (t) => {
    if (!meets(t, { program: "setpriv" }, { program: command[0] })) return;
    await using server = await startServer();
    const run = async (workplace: Workplace, prefix: readonly string[]): Promise<CommandResult> => {
      await chmod(workplace.project, 0o755);
      await resetProject(workplace.project);
      await prepare(workplace.project);
      return workplace.run([...unprivileged, ...prefix, ...command]);
    };
    await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
    const expected = await run(workplace, []);
    const expectedFiles = await listAll(workplace);
    const actual = await run(workplace, [homccProgram]);
    assert.equal(actual.status, expected.status);
    assert.ok(
      withoutTemporaryNames(actual.stderr).endsWith(withoutTemporaryNames(expected.stderr)),
      actual.stderr,
    );
    assert.deepEqual(await listAll(workplace), expectedFiles);
    recordSurvived("A file of the project cannot be read or written");
  });
}

async function resetProject(project: string): Promise<void> {
  await removeFolder(project);
  await mkdir(project);
  await writeFile(join(project, "a.c"), '#include "h.h"\nint x;\n');
  await writeFile(join(project, "h.h"), "");
}

/** Opens what the test has closed, so that it can be seen. */
async function listAll(workplace: Workplace): Promise<string[]> {
  await workplace.run(["chmod", "-R", "u+rwX", "."]);
  return (await readdir(workplace.project, { recursive: true })).sort();
}

function withoutTemporaryNames(text: string): string {
  return text.replaceAll(/\/tmp\/cc\w+\.[so]|a-\w+\.o\.tmp/g, "<temporary>");
}

/** Mounts a small file system on `folder` until it is disposed of, which must be before the folder is removed. */
async function mountSmall(workplace: Workplace, folder: string, size: string): Promise<AsyncDisposable> {
  await mkdir(folder, { recursive: true });
  const mounted = await workplace.run([
    "mount",
    "-t",
    "tmpfs",
    "-o",
    `size=${size},mode=1777`,
    "tmpfs",
    folder,
  ]);
  assert.equal(mounted.status, 0, mounted.stderr);
  return {
    [Symbol.asyncDispose]: async () => {
      await workplace.run(["umount", folder], { cwd: "/" });
    },
  };
}

/** 200 kB of object code that does not shrink. */
const largeSource = `const unsigned char blob[] = {${Array.from({ length: 200_000 }, (_, i) => (i * i * 31) & 255).join(",")}};\n`;

test("a full disk at home", async (t) => {
  if (!meets(t, "root", { program: "mount" })) return;
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
  await writeFile(join(workplace.project, "a.c"), largeSource);
  const out = join(workplace.project, "out");
  await using _mount = await mountSmall(workplace, out, "64k");
  const command = ["gcc", "-c", "a.c", "-o", "out/a.o"];

  const full = await workplace.run([homccProgram, ...command]);
  assert.notEqual(full.status, 0);
  assert.match(full.stderr, /No space left on device/);
  const [job] = await workplace.jobs(1);
  assert.equal(job?.outcome, "output-failed");
  const leftOver = (await readdir(out)).filter((name) => name !== "a.o");
  assert.deepEqual(leftOver, []);

  const larger = await workplace.run(["mount", "-o", "remount,size=2m", out]);
  assert.equal(larger.status, 0, larger.stderr);
  const again = await workplace.run([homccProgram, ...command]);
  assert.equal(again.status, 0, again.stderr);
  assert.equal((await workplace.jobs(2)).at(-1)?.outcome, "compiled-remotely");
  recordSurvived("The disk is full where an object is to be written");
});

test("a full disk at the server", async (t) => {
  if (!meets(t, "root", { program: "mount" })) return;
  await using workplace = await createWorkplace({ forbidLocal: false });
  const store = join(workplace.folder, "store");
  await using _mount = await mountSmall(workplace, store, "1g");
  await using server = await startServer({ storeFolder: join(store, "homccd") });
  const environment = workplace.environment({ HOMCC_HOSTS: `${server.address}/4` });
  const compile = (name: string): Promise<CommandResult> =>
    workplace.run([homccProgram, "gcc", "-c", `${name}.c`, "-o", `${name}.o`], { environment });
  for (const name of ["first", "second"])
    await writeFile(join(workplace.project, `${name}.c`), `int ${name};\n`);
  await writeFile(join(workplace.project, "large.c"), largeSource);

  assert.equal((await compile("first")).status, 0);
  const { bavail, bsize } = await statfs(store);
  await writeFile(join(store, "filler"), new Uint8Array(bavail * bsize - 100_000));
  const full = await compile("large");
  assert.equal(full.status, 0, full.stderr);
  assert.match(full.stderr, /Compiling locally instead!/);
  await readFile(join(workplace.project, "large.o"));
  const [, job] = await workplace.jobs(2);
  assert.ok(job?.outcome === "server-full" || job?.outcome === "remote-limit", JSON.stringify(job));

  await rm(join(store, "filler"));
  const again = await compile("second");
  assert.deepEqual({ status: again.status, stderr: again.stderr }, { status: 0, stderr: "" });
  assert.equal((await workplace.jobs(3)).at(-1)?.outcome, "compiled-remotely");
  recordSurvived("The disk of the server is full");
});

test("a folder for sockets that cannot be made", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
  await writeFile(join(workplace.project, "a.c"), "int x;\n");
  const environment = workplace.environment({ HOMCC_DIR: "/proc/nowhere" });
  const result = await workplace.run([homccProgram, "gcc", "-c", "a.c", "-o", "a.o"], { environment });
  assert.equal(result.status, 0, result.stderr);
  await readFile(join(workplace.project, "a.o"));
  recordSurvived("The agent's folder cannot be made");
});
