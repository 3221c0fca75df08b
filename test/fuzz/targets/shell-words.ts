import { spawnSync } from "node:child_process";
import { shellWords } from "@homcc/config/shell-words";
import { type FuzzTarget, mustEqual } from "../target.ts";

/** Of anything else a shell makes more than words. */
const harmless = /^[\w "'\\\t.,:/@%+=-]*$/;

/** The options for ssh. */
export const shellWordsTarget: FuzzTarget = {
  name: "shell-words",
  property: "text is cut into words as a shell cuts it",
  startsProcesses: true,
  maxBytes: 100,
  generate: (random) =>
    Buffer.from(
      random.many(1, 12, () => random.pick(["ab", "'", '"', "\\", " ", "\t", "''", "-o", "x=1"])).join(""),
    ),
  check(input) {
    const text = input.toString("latin1");
    // A word with = in front of all others would be an assignment.
    if (!harmless.test(text)) return;
    const script = `set -- ${text}\nfor word do printf '%s\\0' "$word"; done`;
    const { status, stdout } = spawnSync("/bin/sh", ["-c", script], { encoding: "latin1" });
    const words = shellWords(text);
    // What a shell would read on for is no text of words.
    if (status !== 0 || words === undefined || /(?:^|[^\\])(?:\\\\)*\\$/.test(text)) {
      if (status !== 0) mustEqual("words", words, undefined);
      return;
    }
    mustEqual("words", words, stdout.split("\0").slice(0, -1));
  },
};
