import { parseDependencyFile, prerequisitesOf } from "@homcc/compiler/dependency-file";
import { refoldDependencies } from "@homcc/compiler/refold-dependencies";
import { type FuzzTarget, mustEqual } from "../target.ts";

const names = [
  "a.c",
  "/usr/include/x.h",
  "two words.h",
  "do$lar",
  "ha#sh",
  "back\\slash",
  "co:lon",
  "x".repeat(60),
];

/** What compilers write for make: read as it is, and written for the input's lines as names. */
export const dependencyFiles: FuzzTarget = {
  name: "dependency-files",
  property: "a dependency file can be read, and says the names that a compiler put into it",
  dictionary: ["\\\n ", "\\ ", "$$", "\\#", ":", ": ", "\\\\ "],
  generate: (random) => Buffer.from(random.many(1, 8, () => random.pick(names)).join("\n")),
  check(input) {
    const text = input.toString("latin1");
    parseDependencyFile(text);
    refoldDependencies(text);
    // What make cannot say: names that end in a backslash, or have blanks of other kinds.
    const expected = [...new Set(text.split("\n"))].filter(
      (name) => /^[ -~]+$/.test(name) && !/\\$|^ *$/.test(name),
    );
    const written = `out.o: ${expected.map(quotedForMake).join(" \\\n ")}\n`;
    mustEqual("the names", prerequisitesOf(written), expected);
    mustEqual("the names in lines of another length", prerequisitesOf(refoldDependencies(written)), expected);
  },
};

/** As gcc quotes a prerequisite. */
function quotedForMake(name: string): string {
  return name.replaceAll(
    /(\\*)([ #])|\$/g,
    (all, backslashes: string | undefined, special: string | undefined) => {
      if (all === "$") return "$$";
      return special === "#" ? `${backslashes}\\#` : `${backslashes}${backslashes}\\${special}`;
    },
  );
}
