import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { processesMentioning } from "../../../../test/support/processes.ts";
import { waitFor } from "../../../../test/support/wait-for.ts";
import { scratchFolder } from "../remote/scratch-folder.fixture.ts";
import { CannotRunApart, runApart, runInPlace } from "./local-run.ts";
import { answeredCompile, freshDigests, placeIn } from "./subject.fixture.ts";

const never = new AbortController().signal;
const source = { "a.c": '#include "h.h"\nint value(void) { return H; }\n', "h.h": "#define H 1\n" };
/** Takes gcc some seconds. */
const slow = {
  "a.c": `${Array.from({ length: 3000 }, (_, n) => `int f${n}(int x) { for (int i = 0; i < x; i++) x += i * ${n}; return x; }`).join("\n")}\n`,
};

test("a compile apart gives what the compiler gives, and touches nothing", async () => {
  await using scratch = await scratchFolder();
  const args = ["-g", "-MD", "-fstack-usage", "-c", "a.c", "-o", "a.o"];
  const subject = await answeredCompile(scratch.path, source, args);
  const before = await readdir(subject.action.cwd);
  await using answer = await runApart(subject, placeIn(scratch.path), freshDigests(), never);
  assert.deepEqual([answer.status, answer.undeclared], [0, []]);
  assert.deepEqual(
    answer.produced.map(({ path }) => path),
    subject.answer.produced.map(({ path }) => path),
  );
  for (const [index, output] of answer.produced.entries()) {
    const other = subject.answer.produced[index];
    assert(output.kind === "written" && other?.kind === "written");
    assert.deepEqual(await readFile(output.file), await readFile(other.file), output.path);
    assert.equal(output.mode, other.mode);
  }
  assert.deepEqual(await readdir(subject.action.cwd), before);
});

test("outputs are in the state in which the job found them, whatever lies there now", async () => {
  await using scratch = await scratchFolder();
  const subject = await answeredCompile(scratch.path, source);
  const object = join(subject.action.cwd, "a.o");
  await writeFile(object, "made by the build since then");
  await chmod(object, 0o600);
  await using answer = await runApart(subject, placeIn(scratch.path), freshDigests(), never);
  const [output] = answer.produced;
  assert(output?.kind === "written");
  assert.equal(output.mode, 0o666 & ~process.umask());
  assert.equal(await readFile(object, "utf8"), "made by the build since then");
  assert.equal((await lstat(object)).mode & 0o777, 0o600);
});

test("a failing compile removes the object that was there, and only in the layer", async () => {
  await using scratch = await scratchFolder();
  // The assembler fails: then gcc removes its output.
  const files = { "a.c": 'void value(void) { __asm__("bogus"); }\n' };
  const subject = await answeredCompile(scratch.path, files, ["-c", "a.c", "-o", "a.o"], ["a.o"]);
  const object = join(subject.action.cwd, "a.o");
  await writeFile(object, "old");
  await using answer = await runApart(subject, placeIn(scratch.path), freshDigests(), never);
  assert.equal(answer.status, 1);
  assert.match(Buffer.from(answer.stderr).toString(), /no such instruction/);
  assert.deepEqual(answer.produced, [{ kind: "removed", path: object }]);
  assert.equal(await readFile(object, "utf8"), "old");
});

test("a command that only checks writes nothing", async () => {
  await using scratch = await scratchFolder();
  const subject = await answeredCompile(scratch.path, source, ["-fsyntax-only", "a.c"]);
  await using answer = await runApart(subject, placeIn(scratch.path), freshDigests(), never);
  assert.deepEqual([answer.status, answer.produced, answer.undeclared], [0, [], []]);
});

test("what the analysis does not know of is named", async () => {
  await using scratch = await scratchFolder();
  const subject = await answeredCompile(scratch.path, source, ["-MD", "-c", "a.c", "-o", "a.o"]);
  const outputs = subject.action.outputs.filter(({ path }) => path.endsWith(".o"));
  const place = placeIn(scratch.path);
  await using answer = await runApart(
    { ...subject, action: { ...subject.action, outputs } },
    place,
    freshDigests(),
    never,
  );
  assert.deepEqual(answer.undeclared, [join(subject.action.cwd, "a.d")]);
});

test("names with blanks, commas, colons and backslashes are no trouble for the mounts", async () => {
  await using scratch = await scratchFolder();
  const parent = join(scratch.path, "a, b:c\\d 'e");
  await mkdir(parent);
  const subject = await answeredCompile(parent, source);
  await using answer = await runApart(subject, placeIn(scratch.path), freshDigests(), never);
  assert.equal(answer.produced.length, 1);
});

test("in place the outputs stay, with the umask of the job", async () => {
  await using scratch = await scratchFolder();
  const subject = await answeredCompile(scratch.path, source);
  const action = { ...subject.action, umask: 0o077 };
  await using answer = await runInPlace({ ...subject, action }, placeIn(scratch.path), never);
  const [output] = answer.produced;
  assert(output?.kind === "written" && output.mode === 0o600);
  assert.deepEqual(await readFile(output.path), await readFile(output.file));
});

test("homcc's own folder below an output's is a reason not to compile there", async () => {
  await using scratch = await scratchFolder();
  const subject = await answeredCompile(scratch.path, source);
  const place = placeIn(subject.action.cwd);
  await assert.rejects(runApart(subject, place, freshDigests(), never), CannotRunApart);
});

test("an aborted run leaves no process and no file", async () => {
  await using scratch = await scratchFolder();
  const subject = await answeredCompile(scratch.path, slow, ["-O0", "-fsyntax-only", "a.c"]);
  const place = placeIn(scratch.path);
  const stop = new AbortController();
  const running = runApart(
    { ...subject, compilation: { ...subject.compilation, argv: ["gcc", "-O3", "-c", "a.c", "-o", "a.o"] } },
    place,
    freshDigests(),
    stop.signal,
  );
  await waitFor("the compiler", () => processesMentioning(`${place.folder}/run-`).some(isCompiler));
  stop.abort(new Error("enough"));
  await assert.rejects(running, /enough/);
  await waitFor("its end", () => processesMentioning(scratch.path).length === 0);
  assert.deepEqual(
    (await readdir(place.folder)).filter((name) => name.startsWith("run-")),
    [],
  );
});

test("whoever runs it dies by kill -9: everything that it started is gone", async () => {
  await using scratch = await scratchFolder();
  const subject = await answeredCompile(scratch.path, slow, ["-O0", "-fsyntax-only", "a.c"]);
  const program = `
    import { runApart } from ${JSON.stringify(join(import.meta.dirname, "local-run.ts"))};
    import { FileDigests } from "@homcc/inputs/file-digests";
    const [subject, place] = JSON.parse(process.env["RUN"]);
    await runApart(subject, place, new FileDigests(), new AbortController().signal);
  `;
  const compilation = { ...subject.compilation, argv: ["gcc", "-O3", "-c", "a.c", "-o", "a.o"] };
  const action = { ...subject.action, inputs: [] };
  const run = JSON.stringify([{ ...subject, compilation, action }, placeIn(scratch.path)]);
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
    cwd: import.meta.dirname,
    env: { ...process.env, RUN: run },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = once(child, "close");
  await waitFor("the compiler", () => processesMentioning(`${scratch.path}/work/run-`).some(isCompiler));
  child.kill("SIGKILL");
  await ended;
  await waitFor("the end of all", () => processesMentioning(scratch.path).length === 0);
  assert.deepEqual((await readdir(subject.action.cwd)).toSorted(), ["a.c"]);
});

function isCompiler({ commandLine }: { readonly commandLine: readonly string[] }): boolean {
  return commandLine[0]?.endsWith("/cc1") === true;
}
