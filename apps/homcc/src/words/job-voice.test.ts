import assert from "node:assert/strict";
import { test } from "node:test";
import { loadSettings } from "@homcc/config/load";
import type { LaunchCall } from "@homcc/launch/call";
import { type JobVoice, jobVoice } from "./job-voice.ts";

interface Speaker {
  readonly argv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly noticeTerminal?: boolean;
  readonly isCheck?: boolean;
}

/** Has the voice say a line of each level and one of progress. */
async function speak(speaker: Speaker): Promise<{ readonly voice: JobVoice; readonly printed: string[] }> {
  const {
    argv = ["g++", "-c", "a.cpp"],
    environment = {},
    noticeTerminal = false,
    isCheck = false,
  } = speaker;
  const printed: string[] = [];
  const call: LaunchCall = {
    request: {
      argv,
      compilerPath: "/usr/bin/g++",
      cwd: "/",
      environment,
      invalidVariables: [],
      notUtf8: false,
      options: {},
      umask: 0,
      pid: 1,
      rootIdentity: "",
      agentIdentity: "",
      terminals: [undefined, undefined, undefined],
      noticeTerminal,
      session: 0,
    },
    signal: new AbortController().signal,
    stdout: () => assert.fail("not the compiler's words"),
    stderr: () => assert.fail("not the compiler's words"),
    notice: async (bytes) => void printed.push(Buffer.from(bytes).toString()),
    exit: () => {},
    killedBy: () => {},
    execute: () => Promise.resolve(),
    supervise: () => Promise.resolve(undefined),
    abandon: () => {},
  };
  const loaded = await loadSettings({ environment, systemFolder: "/nonexistent" });
  const voice = jobVoice(call, loaded, isCheck);
  for (const level of ["debug", "info", "warning", "error"] as const) voice.log[level](level);
  voice.progress("progress");
  return { voice, printed };
}

const cases: readonly [string, Speaker, JobVoice["tells"], string][] = [
  ["by default", {}, "news", "warning error"],
  ["at a terminal", { noticeTerminal: true }, "news", "warning error progress"],
  ["with --verbose", { environment: { HOMCC_VERBOSE: "1" } }, "everything", "debug info warning error"],
  ["with -v", { argv: ["g++", "-v"], environment: { HOMCC_VERBOSE: "1" } }, "errors", "error"],
  [
    "with errors only",
    { environment: { HOMCC_LOG_LEVEL: "ERROR" }, noticeTerminal: true },
    "errors",
    "error",
  ],
  [
    "in a configure check",
    { isCheck: true, environment: { HOMCC_VERBOSE: "1" }, noticeTerminal: true },
    "nothing",
    "",
  ],
];
for (const [name, speaker, tells, texts] of cases) {
  test(`${name}: ${tells}`, async () => {
    const { voice, printed } = await speak(speaker);
    assert.equal(voice.tells, tells);
    assert.equal(printed.map((line) => /\] (\w+)/.exec(line)?.[1]).join(" "), texts);
    for (const line of printed) assert.match(line, /^[^\n]*\[HOMCC-[A-Z]+\] [^\n]*\n$/);
  });
}

test("colours are for terminals", async () => {
  const hasColour = async (speaker: Speaker): Promise<boolean> =>
    (await speak(speaker)).printed.some((line) => line.includes("\u001B"));
  assert.equal(await hasColour({}), false);
  assert.equal(await hasColour({ noticeTerminal: true }), true);
  assert.equal(await hasColour({ noticeTerminal: true, environment: { NO_COLOR: "1" } }), false);
  assert.equal(await hasColour({ environment: { CLICOLOR_FORCE: "1" } }), true);
});
