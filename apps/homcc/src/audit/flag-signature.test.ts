import assert from "node:assert/strict";
import { test } from "node:test";
import { flagSignature } from "./flag-signature.ts";

function of(command: string, language: "c" | "c++" = "c++"): string {
  return flagSignature({ argv: command.split(" "), language }, "gcc").text;
}

test("names of files and folders, macros, warnings and dependency files make no difference", () => {
  const same = [
    "g++ -O2 -g -c a.cpp -o a.o",
    "g++ -O2 -g -DX=1 -Iinclude -isystem /s -Wall -MD -MF b.d -c b.cpp -o out/b.o",
    "g++ -O2 -g -include c.h -c c.cpp",
  ];
  assert.deepEqual([...new Set(same.map((command) => of(command)))], ["gcc c++ -O2 -g -c"]);
});

test("what decides about code does, in its order", () => {
  const commands = [
    "-O2",
    "-O3",
    "-O2 -O3",
    "-O2 -march=native",
    "-O2 -gsplit-dwarf",
    "-O2 -S",
    "-O2 -Xassembler -g",
  ];
  const texts = commands.map((options) => of(`g++ ${options} -c a.cpp`));
  assert.equal(new Set(texts).size, commands.length, texts.join("\n"));
  assert.notEqual(of("gcc -O2 -c a.c", "c"), of("gcc -O2 -c a.c", "c++"));
});

test("a long one is cut for people and told apart all the same", () => {
  const long = Array.from({ length: 200 }, (_, n) => `-fmacro-prefix-map=a${n}=b`);
  const [one, other] = ["-O1", "-O2"].map((last) =>
    flagSignature({ argv: ["gcc", ...long, last, "-c", "a.c"], language: "c" }, "gcc"),
  );
  assert(one !== undefined && other !== undefined);
  assert.equal(one.text, other.text);
  assert.notEqual(one.id, other.id);
  assert(one.text.length < 210);
});
