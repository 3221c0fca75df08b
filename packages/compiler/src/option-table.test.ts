import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { CompilerFamily } from "./compilation.ts";
import { findOption } from "./option-index.ts";
import { readOptions, type CommandPart } from "./option-reader.ts";
import type { OptionRow, Reader } from "./option-row.ts";
import { spell } from "./option-row.ts";
import { optionTable } from "./option-table.ts";

const families: readonly CompilerFamily[] = ["gcc", "clang"];
const wrapperOf: Readonly<Record<Exclude<Reader, "driver">, string>> = {
  preprocessor: "-Xpreprocessor",
  assembler: "-Xassembler",
  cc1: "-Xclang",
  llvm: "-mllvm",
};

/** Every way the row can be written, with the operand that must be read out of it. */
function spellings(row: OptionRow): { words: string[]; operand: string | undefined }[] {
  const value = "value.c";
  const alone = { words: [row.name], operand: undefined };
  const joined = { words: [`${row.name}${value}`], operand: value };
  const separate = { words: [row.name, value], operand: value };
  const equals = { words: [`${row.name}=${value}`], operand: value };
  const all: Record<OptionRow["spelling"], { words: string[]; operand: string | undefined }[]> = {
    flag: [alone],
    joined: [joined],
    comma: [joined],
    separate: [separate],
    both: [joined, separate],
    equals: [equals],
    optional: [alone, equals],
    either: [equals, separate],
    "joined-and-separate": [{ words: [`${row.name}arch`, value], operand: value }],
  };
  return all[row.spelling];
}

function wrap(words: readonly string[], reader: Reader): string[] {
  return reader === "driver" ? [...words] : words.flatMap((word) => [wrapperOf[reader], word]);
}

test("no name appears twice for one family and reader, and the table is sorted", () => {
  for (const family of families) {
    for (const reader of ["driver", "preprocessor", "assembler", "cc1", "llvm"] as const) {
      assert.equal(findOption("not-an-option", family, reader), undefined);
    }
  }
  const names = optionTable.map(({ name }) => name);
  assert.deepEqual(names, names.toSorted());
});

test("every row says why, in words that continue a sentence", () => {
  for (const row of optionTable) {
    assert.match(row.reason, /^\S.*[^.]$/, spell(row));
    assert.ok(row.name.startsWith("-"), row.name);
    assert.ok(row.operand === "none" || row.spelling !== "flag", spell(row));
  }
});

for (const row of optionTable) {
  test(`${spell(row)} (${row.families.join(", ")}; ${row.readers.join(", ")}) is read in each of its forms`, () => {
    for (const family of row.families) {
      for (const reader of row.readers) {
        // Only clang's driver passes words on to these.
        if (family === "gcc" && (reader === "cc1" || reader === "llvm")) continue;
        for (const { words, operand } of spellings(row)) assertRead(row, family, reader, words, operand);
      }
    }
  });
}

function assertRead(
  row: OptionRow,
  family: CompilerFamily,
  reader: Reader,
  words: readonly string[],
  operand: string | undefined,
): void {
  const parts = readOptions(["cc", ...wrap(words, reader), "a.c"], family);
  const found = parts.find((part) => part.kind === "option" && part.row === row && part.reader === reader);
  assert.ok(found?.kind === "option", `${words.join(" ")} for ${family}`);
  assert.equal(found.operand, operand);
  const inputs = parts.filter((part) => part.kind === "input" && part.reader === "driver");
  assert.deepEqual(
    inputs.map((part) => part.kind === "input" && part.path),
    ["a.c"],
    "an operand was taken for a source",
  );
}

test("the longest name wins", () => {
  assert.equal(findOption("-march=native", "gcc", "driver")?.row.meaning.class, "replay");
  assert.equal(findOption("-march=nativeish", "gcc", "driver")?.row.meaning.class, "send");
  assert.equal(findOption("-MFdeps.d", "gcc", "driver")?.row.name, "-MF");
  assert.equal(findOption("-Wp,-MD,x.d", "gcc", "driver")?.row.name, "-Wp,");
  assert.equal(findOption("-include-pch", "clang", "driver")?.row.name, "-include-pch");
  assert.equal(findOption("-include-pch", "gcc", "driver")?.row.name, "-include");
  assert.equal(findOption("-fplugin-arg-x-y=z", "gcc", "driver")?.row.meaning.class, "local");
  assert.equal(findOption("-fnever-heard-of", "clang", "driver")?.row.meaning.class, "send");
  assert.equal(findOption("--never-heard-of", "clang", "driver"), undefined);
});

const anyWord = fc.oneof(
  fc.constantFrom(...optionTable.map(({ name }) => name)),
  fc.constantFrom(...optionTable.map(({ name }) => `${name}=x`)),
  fc.constantFrom("a.c", "-", "--", "", "@file", "-Wp,-MD,f", "-Wa,,", "-Xclang", "-mllvm", "-I", "x y", "é"),
  fc.string({ maxLength: 12 }),
);

test("every word of any command belongs to a part, and only the driver's words do not overlap", () => {
  fc.assert(
    fc.property(fc.array(anyWord, { maxLength: 12 }), fc.constantFrom(...families), (words, family) => {
      const parts = readOptions(["cc", ...words], family);
      const taken = parts.filter((part) => part.reader === "driver").flatMap((part) => part.words);
      assert.deepEqual(
        taken.toSorted((left, right) => left - right),
        words.map((_, index) => index + 1),
      );
      for (const part of parts) assertWrapped(part, parts);
    }),
    { numRuns: 500 },
  );
});

function assertWrapped(part: CommandPart, parts: readonly CommandPart[]): void {
  if (part.reader === "driver") return;
  for (const word of part.words) {
    const carrier = parts.find((other) => other.reader === "driver" && other.words.includes(word));
    assert.ok(carrier?.kind === "option" && carrier.row.meaning.class === "wrapped");
  }
}
