import assert from "node:assert/strict";
import { readFile, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { scratchFolder } from "../remote/scratch-folder.fixture.ts";
import { audit, type AuditTools, type AuditVerdict } from "./audit.ts";
import { runApart } from "./local-run.ts";
import { answeredCompile, freshDigests, placeIn, toolchainDigest } from "./subject.fixture.ts";
import type { AuditSubject } from "./subject.ts";

const never = new AbortController().signal;
const source = { "a.c": '#include "h.h"\nint value(void) { return H; }\n', "h.h": "#define H 1\n" };
const args = ["-g", "-MD", "-c", "a.c", "-o", "a.o"];

function toolsIn(folder: string, changes: Partial<AuditTools> = {}): AuditTools & { runs(): number } {
  const digests = freshDigests();
  let runs = 0;
  return {
    run: async (subject, signal) => {
      runs += 1;
      return await runApart(subject, placeIn(folder), digests, signal);
    },
    digests,
    toolchainOf: () => Promise.resolve(toolchainDigest),
    runs: () => runs,
    ...changes,
  };
}

/** The answer with other bytes in one output. */
async function tamper(
  subject: AuditSubject,
  name: string,
  change: (bytes: Buffer) => Buffer,
): Promise<AuditSubject> {
  const output = subject.answer.produced.find(({ path }) => path.endsWith(name));
  assert(output?.kind === "written");
  await writeFile(output.file, change(await readFile(output.file)));
  return subject;
}

function detailsOf(verdict: AuditVerdict): readonly string[] {
  return verdict.kind === "different" ? verdict.differences.map(({ detail }) => detail) : [verdict.kind];
}

test("an honest answer is identical after one compile", async () => {
  await using scratch = await scratchFolder();
  const tools = toolsIn(scratch.path);
  const verdict = await audit(await answeredCompile(scratch.path, source, args), tools, never);
  assert.deepEqual(verdict, { kind: "identical", varying: [] });
  assert.equal(tools.runs(), 1);
});

test("a byte of the object, a line of the dependency file or of a message, a mode, a status: each is found", async () => {
  const warned = { "a.c": "int value(void) { int unused; return 1; }\n" };
  const lies: readonly [string, (subject: AuditSubject) => AuditSubject | Promise<AuditSubject>, RegExp][] = [
    [
      "object",
      (subject) =>
        tamper(subject, "a.o", (bytes) => {
          const text = bytes.indexOf(Buffer.from([0xb8, 1, 0, 0, 0]));
          assert(text > 0, "mov $1,%eax");
          bytes[text + 1] = 2;
          return bytes;
        }),
      /a\.o: section \.text, offset 0x[0-9a-f]+$/,
    ],
    [
      "longer object",
      (subject) => tamper(subject, "a.o", (bytes) => Buffer.concat([bytes, bytes])),
      /a\.o: byte \d+, \d+ bytes there/,
    ],
    [
      "dependencies",
      (subject) => tamper(subject, "a.d", (bytes) => Buffer.from(bytes.toString().replace("a.c", "b.c"))),
      /a\.d: line 1: "a\.o: b\.c [^"]*" there, "a\.o: a\.c [^"]*" here$/,
    ],
    [
      "message",
      (subject) => withAnswer(subject, { stderr: Buffer.from("all is well\n") }),
      /^stderr: line 1: "all is well" there/,
    ],
    ["status", (subject) => withAnswer(subject, { status: 1 }), /^exit status 1 there, 0 here$/],
    [
      "mode",
      (subject) =>
        withAnswer(subject, {
          produced: subject.answer.produced.map((output) =>
            output.kind === "written" ? { ...output, mode: 0o755 } : output,
          ),
        }),
      /mode 0755 there, 06\d\d here$/,
    ],
    [
      "missing file",
      (subject) => withAnswer(subject, { produced: subject.answer.produced.slice(0, 1) }),
      /left alone there, written here$/,
    ],
  ];
  for (const [name, lie, expected] of lies) {
    await using scratch = await scratchFolder();
    const honest = await answeredCompile(scratch.path, warned, ["-Wall", ...args]);
    let kept = 0;
    const verdict = await audit(
      await lie(honest),
      toolsIn(scratch.path),
      never,
      async (ours, differences) => {
        kept = differences.length;
        for (const output of ours.produced) if (output.kind === "written") await readFile(output.file);
      },
    );
    assert.equal(verdict.kind, "different", name);
    assert(
      detailsOf(verdict).some((detail) => expected.test(detail)),
      `${name}: ${detailsOf(verdict).join("\n")}`,
    );
    assert(kept > 0);
  }
});

test("what two compiles here differ in says nothing", async () => {
  await using scratch = await scratchFolder();
  const subject = await answeredCompile(scratch.path, source, ["--coverage", "-flto", ...args]);
  const tools = toolsIn(scratch.path);
  const verdict = await audit(subject, tools, never);
  assert(verdict.kind === "identical");
  assert(
    verdict.varying.some((what) => what.endsWith("a.gcno")),
    verdict.varying.join(),
  );
  assert.equal(tools.runs(), 2);
});

test("the time of day says nothing, and neither does yesterday's date", async () => {
  for (const macro of ["__TIME__", "__DATE__"]) {
    await using scratch = await scratchFolder();
    const files = { "a.c": `const char *when(void) { return ${macro}; }\n` };
    const subject = await tamper(await answeredCompile(scratch.path, files), "a.o", (bytes) =>
      Buffer.from(
        bytes
          .toString("latin1")
          .replace(/\d\d:\d\d:\d\d|\w{3} [ \d]\d \d{4}/, (text) =>
            text.replace(/\d/, "0").replace(/^[A-Z]/, "X"),
          ),
        "latin1",
      ),
    );
    const verdict = await audit(subject, toolsIn(scratch.path), never);
    assert.notEqual(verdict.kind, "different", `${macro}: ${detailsOf(verdict).join()}`);
  }
});

test("an input that changed before, during or after the compile makes the audit void", async () => {
  const edits: readonly [string, (folder: string) => Promise<unknown>][] = [
    ["another text", (folder) => writeFile(join(folder, "h.h"), "#define H 2\n")],
    ["another time", (folder) => utimes(join(folder, "h.h"), 1, 1)],
    ["gone", (folder) => rename(join(folder, "h.h"), join(folder, "i.h"))],
  ];
  for (const [name, edit] of edits) {
    for (const moment of ["before", "during", "second"] as const) {
      await using scratch = await scratchFolder();
      const subject = await answeredCompile(scratch.path, source, args);
      if (moment === "second")
        await tamper(subject, "a.o", (bytes) => Buffer.concat([bytes, Buffer.from("x")]));
      const tools = toolsIn(scratch.path);
      if (moment === "before") await edit(subject.action.cwd);
      const edited: AuditTools = {
        ...tools,
        run: async (...words) => {
          const answer = await tools.run(...words);
          if (moment !== "before" && tools.runs() === (moment === "during" ? 1 : 2))
            await edit(subject.action.cwd);
          return answer;
        },
      };
      const verdict = await audit(subject, edited, never);
      assert.deepEqual(
        verdict,
        { kind: "void", why: `${join(subject.action.cwd, "h.h")} changed` },
        `${name} ${moment}`,
      );
    }
  }
});

test("so does a header that appears where none was, and another compiler", async () => {
  await using scratch = await scratchFolder();
  const subject = await answeredCompile(scratch.path, source, args);
  const absent = join(subject.action.cwd, "optional.h");
  const probing = { ...subject, action: { ...subject.action, absent: [absent] } };
  assert.equal((await audit(probing, toolsIn(scratch.path), never)).kind, "identical");
  await writeFile(absent, "");
  assert.deepEqual(await audit(probing, toolsIn(scratch.path), never), {
    kind: "void",
    why: `${absent} changed`,
  });
  const upgraded = toolsIn(scratch.path, { toolchainOf: () => Promise.resolve("u".repeat(64)) });
  assert.deepEqual(await audit(subject, upgraded, never), { kind: "void", why: "the compiler changed" });
});

test("messages for a terminal are not compared with those for a pipe, but their absence is", async () => {
  await using scratch = await scratchFolder();
  const warned = { "a.c": "int value(void) { int unused; return 1; }\n" };
  const subject = await answeredCompile(scratch.path, warned, ["-Wall", ...args]);
  const terminal = { stderr: { columns: 40, rows: 20 } };
  const coloured = withAnswer(
    { ...subject, action: { ...subject.action, terminal } },
    { stderr: Buffer.from("\x1B[1ma.c:\x1B[m unused\n") },
  );
  assert.equal((await audit(coloured, toolsIn(scratch.path), never)).kind, "identical");
  const silent = withAnswer(coloured, { stderr: new Uint8Array() });
  assert.equal((await audit(silent, toolsIn(scratch.path), never)).kind, "different");
});

function withAnswer(subject: AuditSubject, changes: Partial<AuditSubject["answer"]>): AuditSubject {
  return { ...subject, answer: { ...subject.answer, ...changes } };
}
