/**
 * The outcomes table: every job ends in exactly one of these. `--verbose`, `--explain`, docs/outcomes.md and the
 * monitors are made from it. Numbers are stable: they are never reused for something else.
 *
 * kind: `remote`: the result came from a server · `local`: homcc decided beforehand that it belongs at home ·
 * `fallback`: it was sent or meant to be sent, and something of ours (network, server, sandbox) stood in the way.
 * Only `fallback` is turned into exit status 69 by `no_local_compilation`, and only it warns without --verbose.
 */
export interface Outcome {
  readonly number: number;
  readonly kind: "remote" | "local" | "fallback";
  /** Short text for `--verbose`: "Compiled locally: LABEL". */
  readonly label: string;
  /** What it means and what a user can do about it. */
  readonly paragraph: string;
}

export const outcomes = {
  "compiled-remotely": {
    number: 1,
    kind: "remote",
    label: "compiled remotely",
    paragraph: "A server compiled it and the outputs were written at home.",
  },
  "compile-error": {
    number: 2,
    kind: "remote",
    label: "compile error, reported by the remote compiler",
    paragraph:
      "The remote compiler ran on complete, verified inputs with the client's toolchain and ended with an error. Its messages and exit status are final.",
  },
  "not-a-compiler": {
    number: 10,
    kind: "local",
    label: "not a gcc or clang",
    paragraph: "The program does not answer like gcc or clang, so it is run unchanged.",
  },
  "no-compilation": {
    number: 11,
    kind: "local",
    label: "nothing to compile",
    paragraph:
      "Preprocessing, a version query, a command without a source file: there is nothing a server could do.",
  },
  "linking-only": {
    number: 12,
    kind: "local",
    label: "linking only",
    paragraph: "Only object files and libraries are named: linking stays at home.",
  },
  "local-option": {
    number: 13,
    kind: "local",
    label: "an option that belongs at home",
    paragraph:
      "One option of the command depends on the machine, reads files that are not shipped or writes files that do not come back. The detail names it; docs/compiler-options.md says why.",
  },
  "unknown-option": {
    number: 14,
    kind: "local",
    label: "an option homcc does not know",
    paragraph:
      "An option that is not in the table is followed by a word that could be its value. Please report it: the table is meant to be complete.",
  },
  "unsupported-language": {
    number: 15,
    kind: "local",
    label: "a language that is not distributed",
    paragraph: "Only C, C++, Objective-C and Objective-C++ sources and their preprocessed forms are sent.",
  },
  "configure-check": {
    number: 16,
    kind: "local",
    label: "a configure check",
    paragraph:
      "autoconf, CMake and Meson compile tiny files to learn about this machine; they run here and silently.",
  },
  "local-environment": {
    number: 17,
    kind: "local",
    label: "an environment variable that belongs at home",
    paragraph:
      "A variable like COMPILER_PATH changes which programs the compiler runs. docs/configuration.md lists them.",
  },
  "local-construct": {
    number: 18,
    kind: "local",
    label: "a construct in the source that reads other files",
    paragraph:
      "The source or a header uses .incbin, an assembler .include, a precompiled header or a module.",
  },
  "special-output": {
    number: 19,
    kind: "local",
    label: "an output that is no regular file",
    paragraph: "The output is a device, a pipe, a folder or a symbolic link, or cannot be written.",
  },
  "not-utf8": {
    number: 20,
    kind: "local",
    label: "a name that is not UTF-8",
    paragraph: "An argument, the working folder or an input's name has bytes that are not UTF-8.",
  },
  "recursive-call": {
    number: 21,
    kind: "local",
    label: "called from a compiler that homcc already runs",
    paragraph: "homcc was called by the program that it started; the inner call runs the real compiler.",
  },
  "other-root": {
    number: 22,
    kind: "local",
    label: "another file system root than the agent's",
    paragraph: "The call comes from a chroot or container; the agent cannot see its files.",
  },
  "no-hosts": {
    number: 23,
    kind: "local",
    label: "no hosts are configured",
    paragraph: "Set HOMCC_HOSTS or write ~/.homcc/hosts.",
  },
  "unreadable-input": {
    number: 24,
    kind: "local",
    label: "an input cannot be read",
    paragraph:
      "The source or an include folder is missing or not readable; the local compiler says so in its own words.",
  },
  "inputs-unknown": {
    number: 25,
    kind: "local",
    label: "the inputs could not be determined",
    paragraph: "The compiler could not list what it reads, so a local run decides.",
  },
  "no-agent": {
    number: 26,
    kind: "local",
    label: "no agent",
    paragraph: "The agent could not be started or HOMCC_NO_AGENT is set with the native launcher alone.",
  },
  "toolchain-differs": {
    number: 40,
    kind: "fallback",
    label: "the server has another toolchain",
    paragraph:
      "The server's compiler of that name differs from the client's in at least one file. Both identities are in the detail.",
  },
  "no-server": {
    number: 41,
    kind: "fallback",
    label: "no server could be reached",
    paragraph: "Every host refused the connection, timed out, or is known to be down.",
  },
  refused: {
    number: 42,
    kind: "fallback",
    label: "refused by the server",
    paragraph: "The server does not run this command; the detail is its reason.",
  },
  "connection-lost": {
    number: 43,
    kind: "fallback",
    label: "the connection was lost",
    paragraph: "The server or the network went away while the job was running.",
  },
  "timed-out": {
    number: 44,
    kind: "fallback",
    label: "timed out",
    paragraph: "The job took longer than compilation_request_timeout.",
  },
  "remote-crash": {
    number: 45,
    kind: "fallback",
    label: "the remote compiler was killed or crashed",
    paragraph: "The remote compiler died of a signal or of an internal error.",
  },
  "remote-limit": {
    number: 46,
    kind: "fallback",
    label: "a resource limit of the server",
    paragraph: "The job needed more memory, disk or processes than the server grants.",
  },
  "missing-file": {
    number: 47,
    kind: "fallback",
    label: "a file was missing on the server",
    paragraph: "The remote compiler asked for a file that was not among the inputs: an error of ours.",
  },
  "mapped-failure": {
    number: 48,
    kind: "fallback",
    label: "failed in a mapped folder",
    paragraph: "The server has no namespaces; a failing compile there is repeated at home.",
  },
  "mapped-unsupported": {
    number: 49,
    kind: "fallback",
    label: "needs a server with namespaces",
    paragraph: "The server can only map paths, and this command's result would show it.",
  },
  "input-changed": {
    number: 50,
    kind: "fallback",
    label: "an input changed during the job",
    paragraph: "A source or header was written while it was being sent.",
  },
  "output-failed": {
    number: 51,
    kind: "fallback",
    label: "an output could not be written",
    paragraph: "The result arrived but the folder, the disk or the permissions at home did not take it.",
  },
  "server-full": {
    number: 52,
    kind: "fallback",
    label: "the server's disk is full",
    paragraph: "The server could not store the inputs or the outputs, even after evicting.",
  },
  "locale-missing": {
    number: 53,
    kind: "fallback",
    label: "the server lacks the locale of the messages",
    paragraph: "The compiler printed messages, and the server does not have the client's locale.",
  },
  "verdict-mismatch": {
    number: 54,
    kind: "fallback",
    label: "remote and local disagree",
    paragraph:
      "The remote compile failed and the local one succeeded, or the other way round: please report it.",
  },
  "internal-error": {
    number: 55,
    kind: "fallback",
    label: "an error in homcc",
    paragraph: "A bug. The build goes on locally; the agent's log has the details.",
  },
} as const satisfies Record<string, Outcome>;

export type OutcomeName = keyof typeof outcomes;
