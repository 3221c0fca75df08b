import { realpathSync, rmSync } from "node:fs";
import * as fc from "fast-check";
import { compilers, Project } from "@homcc/inputs/discovery.fixture";
import { listDependencies } from "@homcc/inputs/make-dependencies";
import { createScanner, scan } from "@homcc/inputs/scanning.fixture";
import { fileText } from "@homcc/scanner/random-headers.fixture";
import { type FuzzTarget, must } from "../target.ts";

const files = ["a.cpp", "one/a.h", "one/b.h", "two/a.h", "two/b.h", "two/c.h", "sub/c.h", "sub/d.h"];
const mark = "//// ";

/** One folder for all: of each folder a scanner has to ask the compilers first. */
let site: { readonly project: Project; readonly scanner: ReturnType<typeof createScanner> } | undefined;
const ends: (() => void)[] = [];

function openSite(): NonNullable<typeof site> {
  return { project: new Project({ after: (end: () => void) => ends.push(end) }), scanner: createScanner() };
}

/** Some files, each behind a line with its name: what is found in them without a compiler, and what compilers list. */
export const scannerTarget: FuzzTarget = {
  name: "scanner",
  property: "what a compiler reads of a unit is among what the scanner finds, or it says that it cannot tell",
  startsProcesses: true,
  maxBytes: 2000,
  dictionary: [
    "\n#if ",
    "\n#endif\n",
    "\n#else\n",
    "\n#elif ",
    "\n#include <a.h>\n",
    '\n#include "b.h"\n',
    "\n#include_next <a.h>\n",
    "\n#define M(x) x\n",
    "\n#define M <c.h>\n",
    "M(1)",
    "##",
    "defined(M)",
    "__has_include(<b.h>)",
    "\n#pragma once\n",
    "/*",
    "*/",
    "\\\n",
    "1 ? 2 : 3",
    "__cplusplus",
    "'a'",
    "0x1u",
    "-1 > 0u",
    "\n#include M\n",
    '\n#include M("d.h")\n',
    "__INCLUDE_LEVEL__",
    "__LINE__",
    "__FILE__",
    'R"x(',
    ')x"',
    "\n#undef M\n",
    "\n#import <b.h>\n",
    "\n#ifdef M\n",
    "__COUNTER__",
  ],
  unavailable: () => compilers.find(({ path }) => path === undefined)?.name,
  generate(random) {
    const texts = fc.sample(fileText, { seed: random.below(1 << 30), numRuns: files.length });
    return Buffer.from(files.map((name, index) => `${mark}${name}\n#pragma once\n${texts[index]}`).join(""));
  },
  async check(input) {
    const text = input.toString("latin1");
    site ??= openSite();
    const { project, scanner } = site;
    for (const name of ["a.cpp", "one", "two", "sub"])
      rmSync(project.at(name), { recursive: true, force: true });
    for (const name of files) project.write(name);
    for (const part of text.split(mark)) {
      const end = part.indexOf("\n");
      if (files.includes(part.slice(0, end))) project.write(part.slice(0, end), part.slice(end + 1));
    }
    const compilation = project.compilation("a.cpp", ["-Ione", "-Itwo"]);
    for (const compiler of compilers) {
      const found = await scan(scanner, project, compiler, compilation);
      if (typeof found === "string") continue;
      const listing = await listDependencies(
        compilation,
        project.context(compiler.path ?? "", compiler.family),
      );
      if (listing.kind !== "listed") continue;
      const known = new Set(found.files.map(({ entry }) => entry.path));
      const missing = listing.paths
        .map((path) => realpathSync.native(path.startsWith("/") ? path : project.at(path)))
        .filter((path) => !known.has(path));
      must(
        missing.length === 0,
        `${compiler.name} reads ${missing.map((path) => path.slice(project.folder.length)).join(" ")}`,
      );
    }
  },
  close() {
    for (const end of ends) end();
    ends.length = 0;
    site = undefined;
  },
};
