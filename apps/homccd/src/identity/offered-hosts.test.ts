import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { offeredHosts } from "./offered-hosts.ts";

const listened = { addresses: ["0.0.0.0"], port: 3126, limit: 10 };

test("a client is told what the administrator says, completed by what this server knows", async () => {
  for (const [given, expected] of [
    ["build1.example.com", "build1.example.com:3127/10"],
    ["build1:80", "build1:80/10"],
    ["build1:80/4", "build1:80/4"],
    ["build1/4", "build1:3127/4"],
    ["10.0.0.1", "10.0.0.1:3127/10"],
    ["fc00::1", "[fc00::1]:3127/10"],
    ["[fc00::1]:80", "[fc00::1]:80/10"],
    ["srv:_homcc._tcp.example.com", "srv:_homcc._tcp.example.com/10"],
    ["srv:example.com/4", "srv:example.com/4"],
    ["[fc00::1]/3", "[fc00::1]:3127/3"],
  ] as const) {
    assert.deepEqual(await offeredHosts([given], { ...listened, port: 3127 }), [expected]);
  }
  assert.equal((await offeredHosts(["a", "b:1"], listened)).join(" "), "a:3126/10 b:1/10");
});

test("else the addresses that it listens on, or the machine's name", async () => {
  assert.deepEqual(await offeredHosts([], { ...listened, addresses: ["10.0.0.1", "fc00::1"] }), [
    "10.0.0.1:3126/10",
    "[fc00::1]:3126/10",
  ]);
  const [own = ""] = await offeredHosts([], listened);
  assert.ok(own.startsWith(hostname()) && own.endsWith(":3126/10"), own);
});

test("what is no host, and a port that nobody can know, are refused", async () => {
  const isUsage = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_USAGE");
  for (const given of [
    "",
    "a b",
    "a:0",
    "a/x",
    "me@a",
    "localhost",
    "a,tls",
    "a#b",
    "srv:",
    "srv:a,tls",
    "srv:a:1",
  ])
    await assert.rejects(offeredHosts([given], listened), isUsage, given);
  await assert.rejects(offeredHosts([], { ...listened, port: 0 }), isUsage);
});
