import type { Action } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";

const text = (content: string) => digestOf(Buffer.from(content));

/** A small compile of a project at `root`. */
export function actionIn(root: string, more: Partial<Action> = {}): Action {
  return {
    toolchain: text("toolchain"),
    steps: [{ program: "/usr/bin/gcc", argv: ["gcc", "-c", `${root}/src/a.c`, "-o", "a.o"] }],
    cwd: `${root}/build`,
    environment: { PATH: "/usr/bin:/bin", PWD: `${root}/build` },
    umask: 0o022,
    terminal: {},
    inputs: [
      { kind: "directory", path: `${root}/build` },
      { kind: "file", path: `${root}/src/a.c`, digest: text("a"), mtimeNs: 1n },
      { kind: "file", path: `${root}/include/a.h`, digest: text("h"), mtimeNs: 2n },
      { kind: "file", path: "/usr/include/stdio.h", digest: text("stdio"), mtimeNs: 3n },
    ],
    absent: [],
    outputs: [{ path: `${root}/build/a.o`, exists: false }],
    timeoutMs: 1000,
    ...more,
  };
}
