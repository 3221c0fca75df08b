import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { UploadProgress } from "./upload-progress.ts";

const upload = { server: "build:3126", files: 12, sizeBytes: 38_240_000 };

test("an upload of more than three seconds is told, once", (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const told: string[] = [];
  using progress = new UploadProgress((text) => told.push(text));
  using _upload = progress.began(upload);
  mock.timers.tick(2_999);
  assert.deepEqual(told, []);
  mock.timers.tick(600_000);
  assert.deepEqual(told, ["Sending 12 files (38.2 MB) to build:3126 …"]);
});

test("nothing is told of an upload that has ended, or of a job that has", (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const told: string[] = [];
  const progress = new UploadProgress((text) => told.push(text));
  progress.began(upload)[Symbol.dispose]();
  progress.began({ ...upload, files: 1 });
  progress[Symbol.dispose]();
  mock.timers.tick(10_000);
  assert.deepEqual(told, []);
});
