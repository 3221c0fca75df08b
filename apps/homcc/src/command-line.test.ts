import assert from "node:assert/strict";
import { test } from "node:test";
import { parseClientCommandLine } from "./command-line.ts";

test("the compiler command starts after our own options, whatever the compiler is called", () => {
  assert.deepEqual(parseClientCommandLine(["/opt/x/mycc", "-c", "a.c", "--help"]), {
    kind: "launch",
    command: ["/opt/x/mycc", "-c", "a.c", "--help"],
    options: {},
  });
  assert.deepEqual(
    parseClientCommandLine(["--host", "gcc", "--no-local-compilation", "c++", "-c", "a.cpp"]),
    {
      kind: "launch",
      command: ["c++", "-c", "a.cpp"],
      options: { host: "gcc", no_local_compilation: "1" },
    },
  );
});

test("questions to the agent travel as options", () => {
  assert.deepEqual(parseClientCommandLine(["--explain", "g++", "-c", "a.cpp"]), {
    kind: "launch",
    command: ["g++", "-c", "a.cpp"],
    options: { explain: "1" },
  });
  assert.deepEqual(parseClientCommandLine(["--scan-includes", "g++", "-c", "a.cpp"]), {
    kind: "launch",
    command: ["g++", "-c", "a.cpp"],
    options: { "scan-includes": "1" },
  });
  assert.deepEqual(parseClientCommandLine(["--verify-scan", "g++", "-c", "a.cpp"]), {
    kind: "launch",
    command: ["g++", "-c", "a.cpp"],
    options: { "verify-scan": "1" },
  });
});

test("status, stats and doctor are our own words", () => {
  const options = { log_level: "INFO" };
  assert.deepEqual(parseClientCommandLine(["status"]), { kind: "status", json: false, options: {} });
  assert.deepEqual(parseClientCommandLine(["--log-level", "INFO", "status", "--json"]), {
    kind: "status",
    json: true,
    options,
  });
  assert.deepEqual(parseClientCommandLine(["stats", "--zero"]), { kind: "stats", json: false, zero: true });
  assert.deepEqual(parseClientCommandLine(["--log-level=INFO", "doctor", "a", "b:1/2"]), {
    kind: "doctor",
    hosts: ["a", "b:1/2"],
    options,
  });
  for (const argv of [
    ["status", "a"],
    ["status", "--zero"],
    ["stats", "-x"],
    ["doctor", "--json"],
  ]) {
    const command = parseClientCommandLine(argv);
    assert.ok(command.kind === "print" && command.status === 2, argv.join(" "));
    assert.match(command.stderr, /usage: homcc (status|stats|doctor)/);
  }
});

test("a compiler that is called like one of our words can be reached", () => {
  for (const argv of [
    ["./status"],
    ["--", "status"],
    ["--verbose", "--", "doctor"],
    ["--explain", "stats"],
  ]) {
    const command = parseClientCommandLine(argv);
    assert.ok(command.kind === "launch", argv.join(" "));
    assert.deepEqual(command.command, argv.slice(-1));
  }
  assert.equal(parseClientCommandLine(["status"], true).kind, "launch");
  assert.equal(parseClientCommandLine(["g++", "status"]).kind, "launch");
});

test("questions that need no agent", () => {
  assert.deepEqual(parseClientCommandLine(["--host", "a/4", "-j"]), {
    kind: "show",
    what: "concurrency",
    options: { host: "a/4", show_concurrency: "1" },
  });
  const version = parseClientCommandLine(["--version"]);
  assert.ok(
    version.kind === "print" && version.status === 0 && /^homcc \d+\.\d+\.\d+\n$/.test(version.stdout),
  );
  const help = parseClientCommandLine(["--help"]);
  assert.ok(help.kind === "print" && help.stdout.includes("--scan-includes"));
});

test("usage errors end with 2 and one line of ours", () => {
  for (const argv of [[], ["--verbose"], ["-h"], ["--explain"], ["--remote_compilation_tries", "0", "g++"]]) {
    const command = parseClientCommandLine(argv);
    assert.ok(command.kind === "print" && command.status === 2 && command.stdout === "", argv.join(" "));
    assert.match(command.stderr, /^\[HOMCC-ERROR\] [^\n]+\n$/);
  }
});
