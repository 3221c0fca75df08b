/** As in cut-lines.test.ts, at more bytes. */
import { test } from "node:test";
import { cutJobs } from "../../support/cut-jobs.ts";

test("a line that is cut at some hundred bytes", (t) => cutJobs(t, 400));
