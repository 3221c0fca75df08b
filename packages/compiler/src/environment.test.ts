import assert from "node:assert/strict";
import { test } from "node:test";
import { environmentTable, jobEnvironment } from "./environment.ts";
import { readTimeZone } from "./time-zone.ts";

test("only what matters to the compiler is forwarded", () => {
  const environment = {
    PATH: "/bin",
    LC_MESSAGES: "C",
    HOME: "/home/u",
    CPATH: "inc",
    AWS_SECRET: "s",
    TZ: "UTC",
  };
  assert.deepEqual(jobEnvironment(environment, "Europe/Berlin"), {
    kind: "forwarded",
    environment: { PATH: "/bin", LC_MESSAGES: "C", CPATH: "inc", TZ: "UTC" },
  });
});

test("an unset TZ becomes the client's zone", () => {
  assert.deepEqual(jobEnvironment({}, "Europe/Berlin"), {
    kind: "forwarded",
    environment: { TZ: "Europe/Berlin" },
  });
});

test("each variable that changes what the driver runs or writes keeps the job at home", () => {
  for (const { name, verdict } of environmentTable) {
    const variable = name.replace("*", "X");
    assert.equal(jobEnvironment({ [variable]: "1" }).kind, verdict === "local" ? "local" : "forwarded", name);
  }
});

for (const [value, kind] of [
  ["", "forwarded"],
  ["libfakeroot-sysv.so", "forwarded"],
  ["/usr/lib/libeatmydata.so:/usr/libexec/coreutils/libstdbuf.so libjemalloc.so.2", "forwarded"],
  ["/usr/lib/faketime/libfaketime.so.1", "local"],
  ["libfakeroot-sysv.so:/home/u/mine.so", "local"],
  ["/tmp/libfakeroot.so/x.so", "local"],
  ["libfakechroot.so", "local"],
] as const) {
  test(`LD_PRELOAD=${value}: ${kind}`, () => {
    const found = jobEnvironment({ LD_PRELOAD: value, TZ: "UTC" });
    assert.equal(found.kind, kind);
    if (found.kind === "forwarded") assert.deepEqual(found.environment, { TZ: "UTC" }, "it stays at home");
  });
}

test("no zone file, no zone", () => {
  assert.equal(readTimeZone("/nonexistent/localtime"), undefined);
});
