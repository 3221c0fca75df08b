import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddressRanges } from "./address-ranges.ts";

function included(text: string, ...addresses: string[]): boolean[] {
  const ranges = parseAddressRanges(text);
  assert.ok(ranges !== undefined, text);
  return addresses.map((address) => ranges.includes(address));
}

test("private addresses and nobody else by default", () => {
  const inside = [
    "127.0.0.1",
    "::1",
    "10.1.2.3",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "fd00::1",
    "fe80::1%eth0",
  ];
  const outside = ["8.8.8.8", "172.32.0.0", "100.128.0.0", "2001:db8::1", "localhost", "", "::ffff:8.8.8.8"];
  assert.ok(included("private", ...inside, "::ffff:10.0.0.1").every(Boolean));
  assert.ok(!included("private", ...outside).some(Boolean));
});

test("single addresses, ranges and words add up", () => {
  assert.deepEqual(
    included("203.0.113.7, 2001:db8::/32", "203.0.113.7", "203.0.113.8", "2001:db8::9", "10.0.0.1"),
    [true, false, true, false],
  );
  assert.deepEqual(included("private 203.0.113.0/24", "203.0.113.8", "10.0.0.1"), [true, true]);
  assert.deepEqual(included("any", "8.8.8.8", "2001:db8::1", "::ffff:8.8.8.8"), [true, true, true]);
});

test("what is no range is refused as a whole", () => {
  for (const text of [
    "",
    " , ",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "::/129",
    "10.0.0/8",
    "host",
    "10.0.0.1 x",
    "fe80::1%eth0",
  ]) {
    assert.equal(parseAddressRanges(text), undefined, text);
  }
});
