import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Action, InputEntry } from "@homcc/cas/action";
import type { LaunchRequest } from "@homcc/launch/messages";
import { outcomes } from "@homcc/observability/outcomes";
import type { Conclusion } from "../conclusion.ts";
import type { JobRecord } from "./job-log.ts";
import type { JobTrace } from "./job-trace.ts";

/** What a text of HOMCC_DEBUG_DIR is made from. */
export interface DebuggedJob {
  readonly request: Pick<LaunchRequest, "argv" | "compilerPath" | "cwd">;
  readonly trace: JobTrace;
  readonly conclusion: Pick<Conclusion, "outcome" | "detail">;
  /** Objects with names of chance, which wait for the linker. */
  readonly temporaryObjects: readonly string[];
}

const sourceName = /\.(?:c|cc|cp|cpp|cxx|c\+\+|C|CPP|i|ii|m|mm|mi|mii|s|S|sx)$/;

/** The same for the same command in the same folder, whatever becomes of it: builds are compared file by file. */
export function debugName({ argv, cwd }: Pick<LaunchRequest, "argv" | "cwd">): string {
  const named = argv.slice(1).findLast((word) => sourceName.test(word)) ?? argv[0] ?? "";
  const key = createHash("sha256")
    .update([cwd, ...argv].join("\0"))
    .digest("hex")
    .slice(0, 12);
  return `${basename(named).replaceAll(/[^\w.+-]/g, "_")}-${key}.txt`;
}

/**
 * The job as text, one fact a line and the lists sorted: what is equal in two builds gives equal lines, and what differs
 * differs in its own line. No time, no process number, no host; and not the modification times of the inputs, which
 * differ after a checkout without making another object.
 */
export function renderJob({ request, trace, conclusion, temporaryObjects }: DebuggedJob): string {
  const { outcome, detail } = conclusion;
  const lines = [
    `outcome: ${outcomes[outcome].number} ${outcome}`,
    ...(detail === "" ? [] : [`detail: ${quoted(detail)}`]),
    `cwd: ${quoted(request.cwd)}`,
    `compiler: ${quoted(request.compilerPath)}`,
    ...request.argv.map((word) => `argument: ${quoted(word)}`),
    ...[...trace.actions].flatMap(([source, action]) => [
      "",
      `source: ${quoted(source)}`,
      ...actionLines(action),
    ]),
  ];
  const text = `${lines.join("\n")}\n`;
  return temporaryObjects.reduce((all, path, index) => all.replaceAll(path, `(object ${index})`), text);
}

/** What the job took, and where: everything that differs from build to build. */
export function renderPhases(record: JobRecord, { phases: known }: JobTrace): string {
  const { time, pid, host, executor, sentBytes, receivedBytes, wallMs, compileMs } = record;
  const phases = known.list().map(([phase, tookMs]) => `${phase}: ${tookMs.toFixed(1)} ms`);
  return [
    `ended: ${time}`,
    `launcher: process ${pid}`,
    `host: ${host}`,
    ...(executor === "" ? [] : [`executor: ${executor}`]),
    `sent: ${sentBytes} bytes`,
    `received: ${receivedBytes} bytes`,
    ...phases,
    ...(compileMs === 0 ? [] : [`execute (on the server): ${compileMs} ms`]),
    `in total: ${wallMs} ms`,
    "",
  ].join("\n");
}

function actionLines(action: Action): string[] {
  const { toolchain, steps, environment, umask, terminal, inputs, absent, outputs } = action;
  return [
    `toolchain: ${toolchain}`,
    ...steps.flatMap(({ program, argv }) => [
      `program: ${quoted(program)}`,
      ...argv.map((word) => `program's argument: ${quoted(word)}`),
    ]),
    ...sorted(Object.entries(environment).map(([name, text]) => `environment: ${quoted(`${name}=${text}`)}`)),
    `umask: ${umask.toString(8).padStart(3, "0")}`,
    ...Object.entries(terminal).map(([name, size]) => `terminal: ${name}, ${JSON.stringify(size)}`),
    ...sorted(inputs.map(inputLine)),
    ...sorted(absent.map((path) => `absent: ${quoted(path)}`)),
    ...sorted(outputs.map(({ path }) => `output: ${quoted(path)}`)),
  ];
}

function inputLine(entry: InputEntry): string {
  switch (entry.kind) {
    case "file":
      return `input: ${quoted(entry.path)} ${entry.digest}`;
    case "directory":
      return `folder: ${quoted(entry.path)}`;
    case "symlink":
      return `link: ${quoted(entry.path)} to ${quoted(entry.target)}`;
  }
}

/** By code units: the reader's locale must not change a comparison. */
function sorted(lines: readonly string[]): string[] {
  return lines.toSorted((one, other) => (one < other ? -1 : Number(one > other)));
}

/** One word stays one word, and a line one line. */
function quoted(text: string): string {
  return /^[^\s"\\\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}
