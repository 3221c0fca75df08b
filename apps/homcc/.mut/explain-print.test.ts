import assert from "node:assert/strict";
import { test } from "node:test";
import type { InputEntry } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import type { Analysis, Compilation } from "@homcc/compiler/compilation";
import { renderExplanation, renderScannedIncludes } from "./explain-print.ts";

const compilation: Compilation = {
  argv: ["g++", "-c", "a.cpp"],
  source: "a.cpp",
  language: "c++",
  outputs: ["a.o", "a.d"],
  mainOutput: "a.o",
  discoveryArguments: [],
  includeDirectories: [],
  forcedIncludes: [],
  extraInputs: [],
  replay: false,
  mappedVeto: undefined,
};

function file(path: string): InputEntry {
  return { kind: "file", path, digest: digestOf(new Uint8Array()), mtimeNs: 0n };
}

test("a command that stays at home: verdict and reason", () => {
  const analysis: Analysis = {
    verdict: "local",
    outcome: "local-option",
    detail: "-fplugin=x.so",
    silent: false,
  };
  assert.equal(
    renderExplanation(analysis, { compilerPath: "/usr/bin/g++" }),
    `compiler   /usr/bin/g++
verdict    local
reason     an option that belongs at home: -fplugin=x.so (outcome 13)
`,
  );
});

test("a command that is distributed: inputs, absent names, outputs", () => {
  const analysis: Analysis = {
    verdict: "distribute",
    compilations: [compilation],
    link: { argv: [], output: "a.out" },
  };
  const inputs: InputEntry[] = [
    file("/p/a.cpp"),
    { kind: "directory", path: "/p/include" },
    { kind: "symlink", path: "/p/l.h", target: "../l.h" },
  ];
  const digest = digestOf(new Uint8Array());
  const text = renderExplanation(analysis, {
    compilerPath: "/usr/bin/g++",
    toolchain: { family: "gcc", version: "g++ (Debian) 12", driver: "/usr/bin/g++", digest },
    discoveries: [{ kind: "found", inputs, absent: ["/p/opt.h"] }],
    hosts: ["build/4"],
  });
  assert.equal(
    text,
    `compiler   /usr/bin/g++
version    g++ (Debian) 12 (gcc)
toolchain  ${digest}
verdict    remote
hosts      build/4

source     a.cpp (c++)
inputs     /p/a.cpp
           /p/include/
           /p/l.h -> ../l.h
absent     /p/opt.h
outputs    a.o
           a.d

links      a.out, at home
`,
  );
});

test("inputs that cannot be determined make it local", () => {
  const text = renderExplanation(
    { verdict: "distribute", compilations: [compilation] },
    {
      compilerPath: "/usr/bin/g++",
      discoveries: [{ kind: "unknown", outcome: "inputs-unknown", detail: "" }],
    },
  );
  assert.match(text, /^verdict {4}local\nreason {5}the inputs could not be determined \(outcome 25\)$/m);
});

test("--scan-includes: files besides sources and system folders, sorted, each once", () => {
  const inputs = [
    "/p/z.h",
    "/p/a.cpp",
    "/usr/include/stdio.h",
    "/usr/lib/gcc/x.h",
    "/usr/local/include/y.h",
    "/p/z.h",
    "/b.cpp",
  ].map(file);
  assert.equal(
    renderScannedIncludes("/p", ["a.cpp", "../b.cpp"], inputs),
    "/p/z.h\n/usr/local/include/y.h\n",
  );
});
