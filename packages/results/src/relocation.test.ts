import assert from "node:assert/strict";
import { test } from "node:test";
import { actionIn } from "./action.fixture.ts";
import { relocatabilityOf } from "./relocation.ts";

const root = "/home/me/project";
const judge = (command: string, environment = {}) =>
  relocatabilityOf(
    actionIn(root, { steps: [{ program: "/usr/bin/gcc", argv: command.split(" ") }], environment }),
    root,
  );

for (const [command, seesRoot] of [
  ["gcc -c src/a.c -o a.o", false],
  [`gcc -c ${root}/src/a.c`, true],
  [`gcc -I${root}/include -isystem ${root}/deps -MD -MF ${root}/a.d -c src/a.c -o ${root}/a.o`, true],
  [`gcc -ffile-prefix-map=${root}=. -c ${root}/src/a.c`, false],
  [`gcc -fmacro-prefix-map=${root}/=/x/ -c ${root}/src/a.c`, false],
  [`gcc -fdebug-prefix-map=${root}=. -c ${root}/src/a.c`, true],
  [`gcc -ffile-prefix-map=${root}/src=. -c ${root}/src/a.c`, true],
  [`gcc -Wp,-MMD,${root}/a.d -std=gnu11 -c ${root}/a.c`, true],
] as const) {
  test(`free: ${command}`, () => {
    const judged = judge(command);
    assert.equal(judged.kind, "free");
    assert.equal(judged.kind === "free" && judged.namesRoot && !judged.mapsRoot, seesRoot);
  });
}

for (const command of [
  `gcc -DHOME="${root}" -c a.c`,
  `gcc -D HOME=${root} -c a.c`,
  `gcc -D ${root} -c a.c`,
  `gcc -frandom-seed=${root}/a.c -c a.c`,
  `gcc -Wa,-I${root} -c a.c`,
  `gcc -B${root}/tools -c a.c`,
  `gcc -specs=${root}/x -c a.c`,
  `gcc -ffile-prefix-map=/x=${root} -c a.c`,
  `gcc -ffile-prefix-map=${root}=${root}/b -c a.c`,
  `gcc -ffile-prefix-map=/home=/h -c ${root}/a.c`,
  `gcc -ffile-prefix-map=${root}=. -fdebug-prefix-map=/home/me=/h -c ${root}/a.c`,
  `gcc -fdebug-prefix-map=/=/build/ -c ${root}/a.c`,
  `gcc -ffile-prefix-map=/home/me/pro=x -c ${root}/a.c`,
  `gcc -Wa,--debug-prefix-map,/home/me=x -c ${root}/a.c`,
  `gcc -I${root}/deps${root} -c a.c`,
  `gcc -I${root}s -c a.c`,
  `gcc -c ${root}.c`,
  "gcc --coverage -c a.c",
  "gcc -fprofile-use=x -c a.c",
  "gcc -flto -c a.c",
  "clang -Xclang -x -c a.c",
]) {
  test(`bound: ${command}`, () => assert.equal(judge(command).kind, "bound"));
}

test("a variable that names the root, the driver's own steps", () => {
  assert.equal(judge("gcc -c a.c", { CPATH: `${root}/include` }).kind, "bound");
  assert.equal(judge("gcc -c a.c", { PWD: root, PATH: `${root}/bin:/usr/bin` }).kind, "free");
  const step = { program: "/usr/lib/cc1", argv: ["cc1", "a.c"] };
  assert.equal(relocatabilityOf(actionIn(root, { steps: [step, step] }), root).kind, "bound");
});
