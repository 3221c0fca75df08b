import assert from "node:assert/strict";
import { test } from "node:test";
import { WarningRate } from "./warning-rate.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;

interface Told {
  readonly rate: WarningRate;
  readonly forgotten: string[];
  readonly pass: (ms: number) => void;
}

function start(): Told {
  let nowMs = 0;
  const forgotten: string[] = [];
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  return {
    rate: new WarningRate(clock, (text) => forgotten.push(text)),
    forgotten,
    pass: (ms) => (nowMs += ms),
  };
}

test("a cause is news once in each session", () => {
  const { rate } = start();
  assert.deepEqual(
    [1, 1, 2, 2].map((session) => rate.isNews(session, "a")),
    [true, false, true, false],
  );
  assert.equal(rate.isNews(1, "b"), true);
});

test("a cause that was quiet for five minutes is news again, one that goes on is not", () => {
  const { rate, pass } = start();
  assert.equal(rate.isNews(1, "a"), true);
  for (let minute = 0; minute < 30; minute += 1) {
    pass(minuteMs);
    assert.equal(rate.isNews(1, "a"), false);
  }
  pass(5 * minuteMs);
  assert.equal(rate.isNews(1, "a"), true);
});

test("what was counted is told once a minute", () => {
  const { rate, pass, forgotten } = start();
  const summaries: (string | undefined)[] = [];
  for (let second = 0; second < 150; second += 1) {
    rate.count(1, "no server could be reached");
    summaries.push(rate.takeSummary(1));
    pass(secondMs);
  }
  const printed = summaries.flatMap((summary, second) =>
    summary === undefined ? [] : [`${second}: ${summary}`],
  );
  assert.deepEqual(printed, [
    "60: 61 more files were compiled locally: no server could be reached",
    "121: 61 more files were compiled locally: no server could be reached",
  ]);
  rate.close();
  assert.deepEqual(forgotten, ["28 more files were compiled locally: no server could be reached"]);
});

test("several causes share the line, each with its number", () => {
  const { rate, pass } = start();
  rate.count(1, "timed out");
  assert.equal(rate.takeSummary(1), undefined);
  pass(minuteMs);
  rate.count(1, "the connection was lost");
  rate.count(1, "timed out");
  rate.count(2, "timed out");
  assert.equal(
    rate.takeSummary(1),
    "3 more files were compiled locally: timed out (2), the connection was lost (1)",
  );
  assert.equal(rate.takeSummary(1), undefined);
  assert.equal(rate.takeSummary(2), undefined);
  pass(minuteMs);
  assert.equal(rate.takeSummary(2), "1 more file was compiled locally: timed out");
  assert.equal(rate.takeSummary(3), undefined);
});

test("what an earlier build left is not told in a later one", () => {
  const { rate, pass, forgotten } = start();
  rate.count(1, "timed out");
  pass(5 * minuteMs);
  assert.equal(rate.takeSummary(1), undefined);
  assert.deepEqual(forgotten, ["1 more file was compiled locally: timed out"]);
  rate.close();
  assert.equal(forgotten.length, 1);
});

test("sessions and causes are bounded, and nothing that was counted is lost", () => {
  const { rate, forgotten } = start();
  rate.isNews(0, "a");
  rate.count(0, "timed out");
  for (let cause = 0; cause < 1000; cause += 1) rate.isNews(1, String(cause));
  assert.equal(rate.isNews(1, "999"), false);
  assert.equal(rate.isNews(1, "more"), true);
  assert.equal(rate.isNews(1, "0"), true);
  for (let session = 2; session <= 256; session += 1) rate.isNews(session, "a");
  assert.deepEqual(forgotten, ["1 more file was compiled locally: timed out"]);
  assert.equal(rate.isNews(0, "a"), true);
});
