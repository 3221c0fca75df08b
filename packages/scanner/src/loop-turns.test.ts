import assert from "node:assert/strict";
import { test } from "node:test";
import { LoopTurns, turnMs } from "./loop-turns.ts";

/** In which turn of the loop each of `count` workers worked, when each works for `ms`. */
async function turnsOf(count: number, ms: number): Promise<number[]> {
  const turns = new LoopTurns();
  let turn = 0;
  let over = false;
  const tick = (): void => {
    turn += 1;
    if (!over) setImmediate(tick);
  };
  setImmediate(tick);
  const workers = Array.from({ length: count }, async () => {
    await turns.take();
    const worked = turn;
    turns.spend(ms);
    return worked;
  });
  const worked = await Promise.all(workers);
  over = true;
  return worked;
}

test("short work shares a turn, long work has one of its own", async () => {
  const short = await turnsOf(40, turnMs / 4);
  const counts = Map.groupBy(short, (turn) => turn);
  for (const [turn, workers] of counts) assert.ok(workers.length <= 4, `${workers.length} in turn ${turn}`);
  assert.ok(counts.size <= 11, `${counts.size} turns`);
  const long = await turnsOf(5, turnMs);
  assert.equal(new Set(long).size, 5);
  assert.deepEqual(
    long,
    long.toSorted((one, other) => one - other),
  );
});

test("who is alone does not wait", async () => {
  assert.deepEqual(await turnsOf(1, 1), [0]);
  assert.deepEqual(await turnsOf(4, 0), [0, 0, 0, 0]);
});
