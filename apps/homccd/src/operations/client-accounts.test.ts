import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientAccounts, type ClientLimits } from "./client-accounts.ts";

const alice = { kind: "paired", name: "alice" } as const;
const address = { kind: "address", address: "alice" } as const;

function accountsWith(limits: Partial<ClientLimits>) {
  const time = { nowMs: 0 };
  const clock = { wallMs: () => 0, monotonicMs: () => time.nowMs };
  const all = { maxConnections: 2, maxJobs: 3, maxBytesPerSecond: undefined, ...limits };
  return { accounts: new ClientAccounts(() => all, clock), time };
}

test("connections count per identity, and an account goes with its last one", () => {
  const { accounts } = accountsWith({});
  const first = accounts.open(alice);
  const second = accounts.open(alice);
  assert.equal(first.account, second.account);
  assert.match(accounts.whyNoConnection(alice) ?? "", /more than 2 .*max_connections_per_client/);
  assert.equal(accounts.whyNoConnection(address), undefined, "an address of that name is somebody else");
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(accounts.whyNoConnection(alice), undefined);
  assert.equal(accounts.size, 1);
  second[Symbol.dispose]();
  assert.equal(accounts.size, 0);
  assert.notEqual(accounts.open(alice).account, first.account);
});

test("jobs count over all connections", () => {
  const { accounts } = accountsWith({ maxJobs: 1 });
  const { account } = accounts.open(alice);
  assert.equal(account.whyNoJob(), undefined);
  account.jobs += 1;
  assert.match(accounts.open(alice).account.whyNoJob() ?? "", /more than 1 jobs.*max_jobs_per_client/);
});

test("bandwidth: a burst of a second, then as long a pause as it takes, for all connections together", () => {
  const { accounts, time } = accountsWith({ maxBytesPerSecond: 1000 });
  const { account } = accounts.open(alice);
  const other = accounts.open(alice).account;
  assert.equal(account.received(1000), 0);
  assert.equal(other.received(500), 500);
  time.nowMs += 500;
  assert.equal(account.received(0), 0);
  assert.equal(account.received(100), 100);
  assert.equal(account.received(1e6), 5000, "never so long that the connection seems dead");
  time.nowMs += 1e7;
  assert.equal(account.received(1000), 0, "no more than a second is saved up");
  assert.equal(account.received(1), 1);
  const { accounts: unlimited } = accountsWith({});
  assert.equal(unlimited.open(alice).account.received(1e12), 0);
});
