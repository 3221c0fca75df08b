import { analyse } from "@homcc/compiler/analyse";
import type { MicroResult } from "../results.ts";
import { microseconds } from "./rounds.ts";

/** A command as CMake makes it, with files that exist nowhere: only the words count. */
export async function analyser(): Promise<MicroResult[]> {
  const words =
    "g++ -DNDEBUG -D_FORTIFY_SOURCE=2 -I/p/include -I/p/build/generated -isystem /opt/x/include -std=c++17 -O2 -g -Wall -Wextra -fPIC -MD -MT a.o -MF a.o.d -o a.o -c /p/src/a.cpp";
  const command = {
    argv: words.split(" "),
    cwd: "/p/build",
    environment: { PATH: "/usr/bin" },
    family: "gcc",
  } as const;
  const probe = {
    kind: () => Promise.resolve("absent" as const),
    isReadable: () => Promise.resolve(true),
    isWritableFolder: () => Promise.resolve(true),
    readText: () => Promise.resolve(undefined),
  };
  const { verdict } = await analyse(command, { temporaryObject: () => "/t/a.o", probe });
  if (verdict !== "distribute") throw new Error("the command is not distributed");
  return [
    await microseconds("analysis of a command of 22 words", () =>
      analyse(command, { temporaryObject: () => "/t/a.o", probe }),
    ),
  ];
}
