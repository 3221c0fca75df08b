import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "./turns.ts";

/** Serves all of them, one after the other. */
function served(turns: Turns<string>): string {
  const order: string[] = [];
  for (let [next] = turns.inTurn(); next !== undefined; [next] = turns.inTurn()) {
    turns.served(next);
    order.push(next);
  }
  return order.join(" ");
}

function turnsOf(...waiters: readonly [string, number][]): Turns<string> {
  const turns = new Turns<string>();
  for (const [waiter, party] of waiters) turns.add(waiter, party);
  return turns;
}

test("parties take turns, and within one the first is first", () => {
  const turns = turnsOf(["a1", 1], ["a2", 1], ["a3", 1], ["a4", 1], ["b1", 2], ["b2", 2], ["c1", 3]);
  assert.deepEqual([...turns.inTurn()].join(" "), "a1 b1 c1 a2 b2 a3 a4");
  assert.equal(served(turns), "a1 b1 c1 a2 b2 a3 a4");
  assert.equal(turns.size, 0);
});

test("who comes later waits for one of each other party, and those who give up change nothing", () => {
  const turns = turnsOf(["a1", 1], ["a2", 1], ["a3", 1]);
  turns.served("a1");
  turns.add("b1", 2);
  turns.add("b2", 2);
  turns.delete("b1");
  turns.delete("nobody");
  turns.served("nobody");
  assert.equal(turns.size, 3);
  assert.equal(served(turns), "a2 b2 a3");
});

test("a party that was served is behind those who were there, not behind those who come", () => {
  const turns = turnsOf(["a1", 1], ["a2", 1], ["b1", 2], ["b2", 2]);
  turns.served("a1");
  turns.add("c1", 3);
  assert.equal(served(turns), "b1 a2 c1 b2");
});

test("all may be served while they are looked at", () => {
  const turns = turnsOf(["a1", 1], ["a2", 1], ["b1", 2]);
  const order: string[] = [];
  for (const waiter of turns.inTurn()) {
    turns.served(waiter);
    order.push(waiter);
  }
  assert.equal(order.join(" "), "a1 b1 a2");
  assert.equal(turns.size, 0);
});
