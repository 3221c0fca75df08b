import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressIdentity,
  type ClientIdentity,
  identityKeyOf,
  identityOfKey,
  identityText,
} from "./client-identity.ts";

test("an IPv4 client is the same one, whichever socket it came through", () => {
  assert.deepEqual(addressIdentity("::ffff:10.0.0.7"), addressIdentity("10.0.0.7"));
  assert.equal(identityText(addressIdentity("fe80::1%eth0")), "fe80::1%eth0");
});

test("nobody can take another one's key by the name it chose", () => {
  const clients: ClientIdentity[] = [
    { kind: "paired", name: "alice" },
    { kind: "certificate", name: "alice" },
    { kind: "address", address: "alice" },
    { kind: "paired", name: "certificate:alice" },
  ];
  assert.equal(new Set(clients.map(identityKeyOf)).size, clients.length);
  for (const client of [...clients, addressIdentity("fe80::1%eth0")])
    assert.deepEqual(identityOfKey(identityKeyOf(client)), client);
  for (const text of ["", "alice", "paired", "someone:alice"]) assert.equal(identityOfKey(text), undefined);
});
