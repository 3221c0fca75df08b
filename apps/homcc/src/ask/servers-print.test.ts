import assert from "node:assert/strict";
import { test } from "node:test";
import { renderServers } from "./servers-print.ts";

const welcome = {
  version: 2,
  server: "homccd 2.0.0",
  capabilities: [],
  executors: ["namespace", "mapped"],
  slots: 34,
};

test("one line a server, below it what it can compile with, or why that is not known", () => {
  const inventory = {
    toolchains: [
      { names: ["gcc", "gcc-12"], version: "gcc (Debian 12.2.0-14) 12.2.0", target: "x86_64-linux-gnu" },
      { names: ["clang"], version: "clang version 14", target: "" },
    ],
    profiles: [{ name: "jammy" }, { name: "closed", problem: "its users= does not name homcc" }],
    containers: [],
    problems: ["docker does not answer homccd: permission denied"],
    omitted: 2,
  };
  const text = renderServers([
    {
      text: "build/32",
      kind: "welcome",
      welcome,
      roundTripMs: 12.34,
      inventory: { kind: "told", inventory },
    },
    {
      text: "second/3",
      kind: "welcome",
      welcome,
      roundTripMs: undefined,
      inventory: { kind: "unknown", why: "homccd 2.0.0 is too old" },
    },
    { text: "old:3127", kind: "v1" },
    { text: "me@away/4", kind: "failed", why: "away did not answer within 10000 ms" },
  ]);
  assert.equal(
    text,
    `HOST       VERSION       SLOTS  ROUND TRIP  EXECUTORS
build/32   homccd 2.0.0  34     12.3 ms     namespace mapped
    gcc gcc-12  gcc (Debian 12.2.0-14) 12.2.0  x86_64-linux-gnu
    clang       clang version 14
    schroot profiles: jammy, closed (its users= does not name homcc)
    docker containers: none
    docker does not answer homccd: permission denied
    and 2 more
second/3   homccd 2.0.0  34     -           namespace mapped
    homccd 2.0.0 is too old
old:3127   homcc 1.x     -      -           -
    homcc 1.x tells no slots, toolchains, profiles or containers: only a compile shows what it has
me@away/4  no answer     -      -           -
    away did not answer within 10000 ms
`,
  );
});
