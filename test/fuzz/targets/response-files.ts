import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { splitResponseFile } from "@homcc/compiler/response-file";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { type FuzzTarget, mustEqual } from "../target.ts";

/** Programs that read such a file as the drivers do, and complain about every word that names no file. */
const readers: Readonly<
  Record<CompilerFamily, { readonly argv: readonly string[]; readonly complaint: (word: string) => string }>
> = {
  // Without any word nm reads a.out.
  gcc: { argv: ["nm", "first"], complaint: (word) => `nm: '${word}': No such file\n` },
  clang: {
    argv: ["clang", "-c", "first"],
    complaint: (word) => `clang: error: no such file or directory: '${word}'\n`,
  },
};
/** Of other characters the programs make options and further files. */
const plain = /^[\w "'\\\t\n]*$/;

/** The text of an `@file`. */
export const responseFiles: FuzzTarget = {
  name: "response-files",
  property: "the words of a file of options are those that binutils and clang read in it",
  startsProcesses: true,
  maxBytes: 200,
  unavailable: () =>
    ["nm", "clang"].every((name) => spawnSync(name, ["--version"]).status === 0)
      ? undefined
      : "binutils or clang are not installed",
  generate: (random) =>
    Buffer.from(
      random
        .many(1, 12, () => random.pick(["ab", "'", '"', "\\", " ", "\n", "\t", "''", '""', "\\\\", "x y"]))
        .join(""),
    ),
  check(input) {
    const text = input.toString("latin1");
    if (!plain.test(text)) return;
    const folder = mkdtempSync(join(tmpdir(), "homcc-fuzz-"));
    try {
      writeFileSync(join(folder, "words.txt"), text);
      for (const family of ["gcc", "clang"] as const) {
        const words = ["first", ...splitResponseFile(text, family)];
        const { argv, complaint } = readers[family];
        const said = complaintsOf([...argv, "@words.txt"], folder);
        mustEqual(`words to ${family}`, said, words.map(complaint).join(""));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

function complaintsOf([program = "", ...args]: readonly string[], cwd: string): string {
  const env = { PATH: "/usr/bin:/bin", LC_ALL: "C" };
  const { stderr } = spawnSync(program, args, { cwd, encoding: "latin1", env });
  return stderr.replace(/clang: error: no input files\n$/, "");
}
