/** What a power cut leaves of the files of agent and server: both start, notice it, and give the right objects. */
import { test } from "node:test";
import { losePower } from "../../support/power-losses.ts";

test("files of both stores are cut off, zeroed or changed after kill -9", () => losePower(4, 12));
