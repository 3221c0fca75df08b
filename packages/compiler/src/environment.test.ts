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

test("no zone file, no zone", () => {
  assert.equal(readTimeZone("/nonexistent/localtime"), undefined);
});
