import assert from "node:assert/strict";
import { test } from "node:test";
import { renderPlot } from "./plot.ts";

const line = { name: "a < b", colour: "#123456" };

test("ten times as much is a power of ten higher, and a gap has no mark", () => {
  const svg = renderPlot({
    title: "T & U",
    unit: "s",
    axis: "link",
    categories: ["one", "two", "three"],
    lines: [{ ...line, values: [1, undefined, 100] }],
  });
  const marks = Array.from(svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g), ([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  // 50 to 360 is the frame, for two powers of ten.
  assert.deepEqual(marks, [
    [156.7, 360],
    [503.3, 50],
  ]);
  assert.match(svg, /T &amp; U/);
  assert.match(svg, /a &lt; b/);
  assert.match(svg, /<polyline points="156.7,360 503.3,50"/);
});
