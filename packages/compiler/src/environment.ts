import { systemTimeZone } from "./time-zone.ts";

/** What becomes of an environment variable that the client has set. */
export type VariableVerdict = "sent" | "local";

export interface VariableRow {
  /** A name, or its beginning followed by `*`. */
  readonly name: string;
  readonly verdict: VariableVerdict;
  readonly reason: string;
}

/** Every variable that matters to a remote compiler; all others stay at home and change nothing. */
export const environmentTable: readonly VariableRow[] = [
  sent(
    "PATH",
    "a driver finds its assembler by it when it has none of its own; the job's root holds only the toolchain",
  ),
  sent(
    "PWD",
    "gcc and clang write it into the debug information as the working folder, when it is that folder",
  ),
  sent("LANG", "language and character set of the messages"),
  sent("LANGUAGE", "language of the messages"),
  sent("LC_*", "language and character set of the messages"),
  sent("OUTPUT_CHARSET", "gettext converts the messages to it"),
  sent("TERM", "decides whether messages are coloured"),
  sent("COLUMNS", "width at which gcc wraps its messages"),
  sent("GCC_COLORS", "colours of gcc's messages"),
  sent("GCC_URLS", "decides whether gcc's messages have links"),
  sent("TERM_URLS", "decides whether gcc's messages have links"),
  sent("GCC_EXTRA_DIAGNOSTIC_OUTPUT", "adds lines to gcc's messages"),
  sent("TZ", "__TIME__ is local time"),
  sent("SOURCE_DATE_EPOCH", "the time that __DATE__ and __TIME__ give"),
  sent("CPATH", "folders of headers"),
  sent("C_INCLUDE_PATH", "folders of headers"),
  sent("CPLUS_INCLUDE_PATH", "folders of headers"),
  sent("OBJC_INCLUDE_PATH", "folders of headers"),
  sent("OBJCPLUS_INCLUDE_PATH", "folders of headers"),
  sent("SDKROOT", "folder of system headers for Apple's targets"),
  sent("MACOSX_DEPLOYMENT_TARGET", "oldest system the object is for"),
  sent("IPHONEOS_DEPLOYMENT_TARGET", "oldest system the object is for"),
  sent("TVOS_DEPLOYMENT_TARGET", "oldest system the object is for"),
  sent("WATCHOS_DEPLOYMENT_TARGET", "oldest system the object is for"),
  local("COMPILER_PATH", "the driver runs programs found through it"),
  local("GCC_EXEC_PREFIX", "the driver runs programs found through it"),
  local("CCC_OVERRIDE_OPTIONS", "changes clang's command line"),
  local("CCC_ADD_ARGS", "changes clang's command line"),
  local("QA_OVERRIDE_GCC3_OPTIONS", "changes clang's command line"),
  local("CLANG_CONFIG_*", "names files of options"),
  local("CLANG_NO_DEFAULT_CONFIG", "switches files of options off"),
  local("DEPENDENCIES_OUTPUT", "the compiler writes a dependency file named by it; the server sets its own"),
  local("SUNPRO_DEPENDENCIES", "the compiler writes a dependency file named by it; the server sets its own"),
  local("CC_PRINT_OPTIONS*", "clang writes a log named by it"),
  local("CC_PRINT_HEADERS*", "clang writes a list of headers named by it; the server sets its own"),
  local("CC_PRINT_PROC_STAT*", "clang measures the machine that compiles"),
  local("CC_LOG_DIAGNOSTICS*", "clang writes a log named by it"),
  local("CC_PRINT_INTERNAL_STAT*", "clang measures the machine that compiles"),
  local(
    "LD_PRELOAD",
    "a library is loaded into the compiler, which may change all it sees: the time, names of files",
  ),
  local("LD_AUDIT", "a library is loaded into the compiler's loader"),
  local("AS_SECURE_LOG_FILE", "clang's assembler writes a log named by it"),
  local("CLANG_CRASH_DIAGNOSTICS_DIR", "clang writes files there"),
  local("RC_DEBUG_OPTIONS", "puts the command line into the object"),
];

/** Libraries that builds run under and that change nothing a compiler reads or writes but owners, buffers, memory and logs. */
const harmlessPreload =
  /^lib(fakeroot|eatmydata|jemalloc|tcmalloc|mimalloc|snoopy|stdbuf|sandbox|gtk3-nocsd|ear|exec)\b[\w.-]*\.so[\w.]*$/;

export type JobEnvironment =
  | { readonly kind: "forwarded"; readonly environment: Readonly<Record<string, string>> }
  | { readonly kind: "local"; readonly variable: string };

/**
 * What of the client's environment the remote compiler gets, or the variable that keeps the job at home. `zone` is this
 * machine's time zone: the job has no /etc/localtime and would take an unset TZ for UTC.
 */
export function jobEnvironment(
  environment: Readonly<Record<string, string>>,
  zone: string | undefined = systemTimeZone(),
): JobEnvironment {
  const forwarded: Record<string, string> = zone === undefined ? {} : { TZ: zone };
  for (const [name, value] of Object.entries(environment)) {
    const verdict = verdictOf(name);
    if (verdict === "local" && !isHarmless(name, value)) return { kind: "local", variable: name };
    if (verdict === "sent") forwarded[name] = value;
  }
  return { kind: "forwarded", environment: forwarded };
}

function isHarmless(name: string, value: string): boolean {
  if (name !== "LD_PRELOAD") return false;
  const libraries = value.split(/[ :]+/).filter((library) => library !== "");
  return libraries.every((library) => harmlessPreload.test(library.slice(library.lastIndexOf("/") + 1)));
}

function verdictOf(name: string): VariableVerdict | undefined {
  return exact.get(name) ?? beginnings.find(([beginning]) => name.startsWith(beginning))?.[1];
}

const exact: ReadonlyMap<string, VariableVerdict> = new Map(
  environmentTable.filter((row) => !row.name.endsWith("*")).map((row) => [row.name, row.verdict]),
);
const beginnings: readonly (readonly [string, VariableVerdict])[] = environmentTable
  .filter((row) => row.name.endsWith("*"))
  .map((row) => [row.name.slice(0, -1), row.verdict]);

function sent(name: string, reason: string): VariableRow {
  return { name, verdict: "sent", reason };
}

function local(name: string, reason: string): VariableRow {
  return { name, verdict: "local", reason };
}
