import type { Termination } from "@homcc/cas/action";
import type { OutcomeName } from "@homcc/observability/outcomes";
import { maxPathLength } from "@homcc/protocol/limits";
import { printable } from "@homcc/protocol/printable";

/** What of a remote result decides whether it is final. */
export interface RemoteFacts {
  readonly termination: Termination;
  readonly stderr: string;
  readonly executor: string;
  /** The server has the locale in which the messages were asked for. */
  readonly localeKnown: boolean;
  /** True when a file that the compiler did not find exists at home: our list of inputs was incomplete. */
  readonly missedInput: (name: string) => boolean;
}

export type Verdict =
  | { readonly kind: "final"; readonly outcome: "compiled-remotely" | "compile-error" }
  | {
      readonly kind: "fallback";
      readonly outcome: OutcomeName;
      readonly detail: string;
      /** The compiler ran and failed, and a local run should fail too. */
      readonly doubtedStatus?: number;
    };

/**
 * Decides whether a remote result is what a local run would have given. It is, also when it is a compile error,
 * unless the server's side could be the cause: a crash, a limit, a mapped folder, a missing file, a missing locale.
 */
export function judge(facts: RemoteFacts): Verdict {
  const { termination } = facts;
  switch (termination.kind) {
    case "signalled":
      return fallback("remote-crash", `signal ${termination.signal}`);
    case "timed-out":
      return fallback("timed-out", "on the server");
    case "limited":
      return fallback("remote-limit", termination.limit);
    case "exited":
      return judgeExit(termination.status, facts);
  }
}

function judgeExit(status: number, facts: RemoteFacts): Verdict {
  if (!facts.localeKnown && facts.stderr !== "") return fallback("locale-missing", "");
  if (status === 0) return { kind: "final", outcome: "compiled-remotely" };
  const crash = crashTrace(status, facts.stderr);
  if (crash !== undefined) return fallback("remote-crash", crash);
  const limit = limitTrace(facts.stderr);
  if (limit !== undefined) return fallback("remote-limit", limit);
  if (facts.executor === "mapped")
    return { ...fallback("mapped-failure", `exit status ${status}`), doubtedStatus: status };
  const missing = missingFiles(facts.stderr)
    .slice(-maxMissingFiles)
    .find((name) => facts.missedInput(name));
  if (missing !== undefined)
    return { ...fallback("missing-file", printable(missing, maxPathLength)), doubtedStatus: status };
  return { kind: "final", outcome: "compile-error" };
}

function fallback(outcome: OutcomeName, detail: string): Extract<Verdict, { kind: "fallback" }> {
  return { kind: "fallback", outcome, detail };
}

/** gcc's driver ends with 4 after an internal error, in any language. */
const gccInternalErrorStatus = 4;
/** clang's driver: 128 + signal of the frontend, 70 (EX_SOFTWARE), or 254 when it could not start it. */
const clangCrashStatuses: ReadonlySet<number> = new Set([70, 132, 134, 135, 136, 137, 139, 143, 254]);

function crashTrace(status: number, stderr: string): string | undefined {
  if (status === gccInternalErrorStatus) return "internal compiler error";
  if (clangCrashStatuses.has(status)) return `exit status ${status}`;
  // "g++: fatal error: Killed signal terminated program cc1plus": translated, but the program's name stays.
  const killed = /^[^\s:]+: [^\n]*\b(cc1|cc1plus|cc1obj|cc1objplus|as)$/m.exec(stderr);
  if (killed?.[1] !== undefined) return `${killed[1]} was killed`;
  if (/internal compiler error:|PLEASE submit a bug report|unable to execute command/.test(stderr)) {
    return "internal compiler error";
  }
  return undefined;
}

function limitTrace(stderr: string): string | undefined {
  return /No space left on device|Cannot allocate memory|virtual memory exhausted|out of memory|File too large|Disk quota exceeded|Too many open files|Resource temporarily unavailable/i.exec(
    stderr,
  )?.[0];
}

/** A missing file ends a compiler, so that one is named; assemblers and clang's driver go on. Each is looked for in all folders. */
const maxMissingFiles = 16;

/** How gcc 12, clang 14 and their assemblers name a file they did not find. Each takes a time that grows as the text does, whatever it is. */
const missingFilePatterns: readonly RegExp[] = [
  // gcc, in any language: "a.c:1:10: fatal error: NAME: No such file or directory". The place has no blank after a colon.
  /^(?:(?!: ).)*: [^:\n]+: ([^:\n]+): [^:\n]+$/gm,
  /'([^'\n]+)' file not found/g,
  /no such file or directory: '([^'\n]+)'/g,
  /Could not find (?:incbin|include) file '([^'\n]+)'/g,
  /Error: file not found: (.+)$/gm,
];

/** The same where a name may hold anything: what is between these on a line. An expression would look for the second after each first. */
const missingFileFrames: readonly (readonly [before: string, after: string])[] = [
  ["error: ", ": No such file or directory"],
  ["Could not read profile ", ": No such file or directory"],
  ["Error: can't open ", " for reading: "],
];

/** Names that may be those of missing files, each once; whether a file of that name exists decides. */
export function missingFiles(stderr: string): string[] {
  const names = missingFilePatterns.flatMap((pattern) =>
    Array.from(stderr.matchAll(pattern), (match) => match[1] ?? ""),
  );
  for (const line of stderr.split("\n"))
    for (const [before, after] of missingFileFrames) {
      const start = line.indexOf(before);
      const end = start < 0 ? -1 : line.lastIndexOf(after);
      if (end > start + before.length) names.push(line.slice(start + before.length, end));
    }
  return [...new Set(names)];
}
