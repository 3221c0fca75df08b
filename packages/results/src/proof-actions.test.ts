import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { actionIn } from "./action.fixture.ts";
import { proofActionsOf } from "./proof-actions.ts";

const root = "/home/me/project";
const text = digestOf(Buffer.from("text"));

function wordsOf(command: string, family: "gcc" | "clang" = "gcc"): (string | undefined)[] | undefined {
  const action = actionIn(root, { steps: [{ program: "/usr/bin/cc", argv: command.split(" ") }] });
  const actions = proofActionsOf(action, `${root}/build/a.o`, family);
  return (
    actions &&
    [actions.preprocessing, actions.compilationOf(text)].map((each) => each?.steps[0]?.argv.join(" "))
  );
}

test("the command preprocesses first, and then compiles what came of it", () => {
  assert.deepEqual(wordsOf("gcc -O2 -c ../src/a.c -o a.o -MD"), [
    "gcc -E -O2 -c ../src/a.c -o a.o -MD",
    "gcc -O2 -c -w -x cpp-output ../src/a.c -o a.o -MD",
  ]);
  assert.deepEqual(wordsOf("clang++ -x c++ -c ../src/a.c", "clang"), [
    `clang++ -E -o ${root}/build/a.o -x c++ -c ../src/a.c`,
    "clang++ -x c++ -c -w -x c++-cpp-output ../src/a.c",
  ]);
  assert.deepEqual(wordsOf("g++ -c ../src/a.c")?.[1], "g++ -c -w -x c++-cpp-output ../src/a.c");
});

test("the text takes the place of the source, and of nothing else", () => {
  const action = actionIn(root);
  const compilation = proofActionsOf(action, `${root}/build/a.o`, "gcc")?.compilationOf(text);
  const changed = compilation?.inputs.filter((input, index) => input !== action.inputs[index]);
  assert.deepEqual(changed, [{ kind: "file", path: `${root}/src/a.c`, digest: text, mtimeNs: 1n }]);
});

test("a source that is reached by a link is only preprocessed", () => {
  assert.equal(wordsOf("gcc -c ../link/a.c -o a.o")?.[1], undefined);
});

test("what is not one driver's compile of one source is not taken apart", () => {
  assert.equal(wordsOf("cc1 -cc1 -c ../src/a.c"), undefined);
  assert.equal(wordsOf("gcc -c ../src/a.c ../src/b.c"), undefined);
  assert.equal(wordsOf("gcc -c ../src/a.i -o a.o"), undefined);
  assert.equal(wordsOf("gcc ../src/a.c"), undefined);
  const action = actionIn(root);
  const steps = [...action.steps, ...action.steps];
  assert.equal(proofActionsOf({ ...action, steps }, `${root}/build/a.o`, "gcc"), undefined);
});
