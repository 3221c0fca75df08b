import assert from "node:assert/strict";
import { test } from "node:test";
import { analyse } from "./analyse.ts";
import type { CompilerFamily } from "./compilation.ts";
import type { FileProbe } from "./file-probe.ts";
import { v1Command } from "./v1-command.ts";

const cwd = "/home/dev/greeting";

/** Every file can be read, none is in the way of an output. */
const probe: FileProbe = {
  kind: () => Promise.resolve("absent"),
  isReadable: () => Promise.resolve(true),
  isWritableFolder: () => Promise.resolve(true),
  readText: () => Promise.resolve(undefined),
};

async function asV1(argv: readonly string[], family: CompilerFamily = "gcc") {
  const analysis = await analyse(
    { argv, cwd, environment: {}, family },
    { probe, temporaryObject: () => "/tmp/ccX.o" },
  );
  assert.equal(analysis.verdict, "distribute", JSON.stringify(analysis));
  const [compilation] = analysis.verdict === "distribute" ? analysis.compilations : [];
  assert.ok(compilation);
  return v1Command(compilation, { cwd, family });
}

const suitable: readonly [command: string, args: string, object: string, dependencyRun?: string][] = [
  ["g++ -O2 -c a.cpp -o a.o", "g++ -O2 -c a.cpp -o a.o", `${cwd}/a.o`],
  ["/opt/bin/g++-12 -c a.cpp", "g++-12 -c a.cpp", `${cwd}/a.o`],
  ["c++ -c a.cpp", "g++ -c a.cpp", `${cwd}/a.o`],
  ["cc -c a.c", "gcc -c a.c", `${cwd}/a.o`],
  [
    `gcc -I/opt/x -isystem /opt/y -c ${cwd}/a.c -o ${cwd}/out/a.o`,
    `gcc -I/opt/x -isystem /opt/y -c ${cwd}/a.c -o ${cwd}/out/a.o`,
    `${cwd}/out/a.o`,
  ],
  ["gcc -c a.c -o ../a.o", "gcc -c a.c -o homcc-object.o", `${cwd}/homcc-object.o`],
  ["gcc -c a.c -o a.obj", "gcc -c a.c -o homcc-object.o", `${cwd}/homcc-object.o`],
  ["gcc -L/opt -lm -Wl,-s -c a.c -o a.o", "gcc -c a.c -o a.o", `${cwd}/a.o`],
  [
    "gcc -MMD -O1 -Ix -c a.c -o a.o",
    "gcc -O1 -Ix -c a.c -o a.o",
    `${cwd}/a.o`,
    "-O1 -Ix -MM -MQ a.o -MF a.d a.c",
  ],
  [
    "gcc -MD -MP -MF x.dep -MT t -MQ u -c a.c -o a.o",
    "gcc -c a.c -o a.o",
    `${cwd}/a.o`,
    "-M -MP -MT t -MQ u -MF x.dep a.c",
  ],
  ["gcc -g -gsplit-dwarf -c a.c -o a.o", "gcc -g -gsplit-dwarf -c a.c -o a.o", `${cwd}/a.o`],
];

for (const [command, args, object, dependencyRun] of suitable) {
  test(command, async () => {
    assert.deepEqual(await asV1(command.split(" ")), {
      kind: "suitable",
      args: args.split(" "),
      object,
      dependencyRun: dependencyRun?.split(" "),
    });
  });
}

const unsuitable: readonly [argv: string[], why: RegExp][] = [
  [["gcc", "-S", "a.c"], /makes objects only/],
  [["gcc", "-fstack-usage", "-c", "a.c"], /a\.su/],
  [["gcc", "-gsplit-dwarf", "-c", "a.c", "-o", "../a.o"], /a\.dwo/],
  [["gcc", "-include", "/opt/x.h", "-c", "a.c"], /does not map/],
  [["gcc", "-iquote", "/opt/x", "-c", "a.c"], /does not map/],
  [["gcc", "--sysroot=/opt/x", "-c", "a.c"], /does not map/],
  [["gcc", "-DX=a b", "-c", "a.c"], /blanks/],
  [["gcc", "-march=native", "-c", "a.c"], /no object|expansion/],
  [["gcc", "-Wp,-MD,a.d", "-c", "a.c"], /-MD/],
  [["gcc", "-c", "a.i"], /cpp-output/],
];

for (const [argv, why] of unsuitable) {
  test(`at home: ${argv.join(" ")}`, async () => {
    const command = await asV1(argv);
    assert.equal(command.kind, "unsuitable");
    assert.match(command.kind === "unsuitable" ? command.why : "", why);
  });
}
