import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInFolders } from "./built-in-folders.ts";

const angle = ["/p/include", "/usr/lib/gcc/x/12/include", "/usr/local/include", "/usr/include", "relative"];

function builtIn(args: readonly string[], environment: Readonly<Record<string, string>> = {}): string[] {
  const folders = { quote: [], angle, missing: [], duplicate: [], majorVersion: "12" };
  return builtInFolders(folders, { discoveryArguments: args }, { environment });
}

const gccs = ["/usr/lib/gcc/x/12/include", "/usr/local/include", "/usr/include"];

for (const [args, environment, expected] of [
  [["-I/p/include"], {}, gccs],
  [["-isystem", "/p/include/"], {}, gccs],
  [["-I", "/p"], {}, gccs],
  [[], { CPATH: "/x:/p/include" }, gccs],
  [[], { PATH: "/p:/usr/bin", CPLUS_INCLUDE_PATH: "" }, ["/p/include", ...gccs]],
  [["-I/p/include", "-I/usr/include/sys"], {}, gccs],
  [["-I/p/include", "-I/usr/include"], {}, gccs.slice(0, 2)],
  [["--sysroot=/usr", "-I/p/inc"], {}, ["/p/include"]],
  [["-B/usr/lib/gcc"], { CPATH: "/p/include" }, gccs.slice(1)],
  [["-I/p/include"], { GCC_EXEC_PREFIX: "/usr/lib/gcc/" }, gccs.slice(1)],
  [["--sysroot=/"], {}, ["/p/include", ...gccs]],
] as const)
  test(`${args.join(" ")} ${JSON.stringify(environment)}`, () =>
    assert.deepEqual(builtIn(args, environment), expected));
