/** As power-loss.test.ts, some hundred times. */
import { test } from "node:test";
import { losePower } from "../../support/power-losses.ts";

test("files of both stores are cut off, zeroed or changed after kill -9", () => losePower(30, 12));
