import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFlags } from "./flags.ts";
import type { Program } from "./options.ts";

function parse(program: Program, ...argv: string[]): unknown {
  const flags = parseFlags(program, argv);
  return flags.kind === "parsed" ? [flags.values, flags.rest] : flags.message;
}

test("the first word that is neither a flag nor its value ends the options", () => {
  assert.deepEqual(parse("homcc", "c++", "--verbose", "-j"), [{}, ["c++", "--verbose", "-j"]]);
  assert.deepEqual(parse("homcc", "--schroot-profile", "gcc12", "--verbose", "g++", "-v"), [
    { schroot_profile: "gcc12", verbose: "1" },
    ["g++", "-v"],
  ]);
  assert.deepEqual(parse("homcc", "--host=b:1/2,lzo", "--host", "c", "cc"), [{ host: "c" }, ["cc"]]);
  assert.deepEqual(parse("homcc", "--", "--odd-compiler"), [{}, ["--odd-compiler"]]);
  assert.deepEqual(parse("homcc"), [{}, []]);
});

test("underscores and dashes, fractions, short flags with and without a blank", () => {
  assert.deepEqual(parse("homcc", "--compilation-request-timeout", "1.5", "--remote_compilation_tries=4"), [
    { compilation_request_timeout: "1.5", remote_compilation_tries: "4" },
    [],
  ]);
  assert.deepEqual(parse("homccd", "-j8", "--listen=::1"), [{ limit: "8", address: "::1" }, []]);
  assert.deepEqual(parse("homccd", "-j", "8"), [{ limit: "8" }, []]);
});

test("what is wrong is named, with what is allowed", () => {
  const cases: readonly (readonly [Program, readonly string[], RegExp])[] = [
    ["homcc", ["-h"], /unknown option '-h' \(homcc --help/],
    ["homcc", ["--verb", "g++"], /unknown option '--verb'/],
    ["homcc", ["-j8"], /unknown option '-j8'/],
    ["homcc", ["--log-level"], /--log-level needs a value: DEBUG/],
    ["homcc", ["--log-level", "g++", "-c"], /--log-level: 'g\+\+' is not allowed \(allowed: DEBUG/],
    ["homcc", ["--verbose=yes"], /--verbose takes no value/],
    ["homcc", ["--host", "a b"], /--host: 'a b' is not allowed/],
    ["homcc", ["--host", "a:70000"], /--host: 'a:70000' is not allowed/],
    ["homcc", ["--schroot-profile", "-evil"], /not allowed/],
    [
      "homcc",
      ["--schroot-profile", "a", "--docker-container", "b"],
      /^Can not specify a schroot profile and a docker container to be used simultaneously\.$/,
    ],
    [
      "homcc",
      ["--no-sandbox", "--docker-container", "b"],
      /--docker-container cannot be combined with --no-sandbox/,
    ],
    ["homcc", ["--show-hosts", "-j"], /--show-concurrency cannot be combined with --show-hosts/],
    [
      "homccd",
      ["--port", "65536"],
      /--port: '65536' is not allowed \(allowed: a whole number from 0 to 65535\)/,
    ],
    ["homccd", ["--max-dependency-cache-size", "10"], /M \(mebibytes\) or G/],
    ["homccd", ["--allow", "10.0.0.0/33"], /--allow: /],
    ["homccd", ["--executor", "docker"], /auto, namespace, mapped/],
  ];
  for (const [program, argv, message] of cases) assert.match(String(parse(program, ...argv)), message);
});

test("--help wins over what follows it, not over what is wrong before it", () => {
  assert.deepEqual(parse("homcc", "--help", "--nonsense"), [{ help: "1" }, ["--nonsense"]]);
  assert.match(String(parse("homcc", "--nonsense", "--help")), /unknown option/);
});
