import { parseFlags } from "@homcc/config/flags";
import { renderHelp } from "@homcc/config/help";
import { version } from "@homcc/config/version";
import { clientLine } from "@homcc/observability/log";
import { ownWordOf, parseOwnWord } from "./ask/own-words.ts";

/** Usage errors, as argparse has them in homcc 1.x. */
export const usageStatus = 2;

/** What a command line of homcc asks for. */
export type ClientCommand =
  | { readonly kind: "print"; readonly status: number; readonly stdout: string; readonly stderr: string }
  | {
      readonly kind: "show";
      readonly what: "hosts" | "concurrency" | "variables";
      readonly options: Readonly<Record<string, string>>;
    }
  | { readonly kind: "status"; readonly json: boolean; readonly options: Readonly<Record<string, string>> }
  | { readonly kind: "stats"; readonly json: boolean; readonly zero: boolean }
  | { readonly kind: "audit"; readonly json: boolean; readonly clear: boolean }
  | {
      readonly kind: "doctor";
      /** As on a line of the hosts file; none: all that are configured. */
      readonly hosts: readonly string[];
      readonly options: Readonly<Record<string, string>>;
    }
  /** Without a line, and with `-`, it is read from the input. */
  | { readonly kind: "pair"; readonly line: string | undefined }
  | {
      readonly kind: "launch";
      /** The compiler as it was called, and its arguments. */
      readonly command: readonly string[];
      /** Travel with the launch request: by option name, and `audit`, `explain`, `scan-includes` or `verify-scan`. */
      readonly options: Readonly<Record<string, string>>;
    };

/**
 * `argv` starts after the program's own name. Its first word is a compiler's, whatever it says, when homcc was called
 * through a link of that name (`throughLink`) or when `--` stands before it.
 */
export function parseClientCommandLine(argv: readonly string[], throughLink = false): ClientCommand {
  const flags = parseFlags("homcc", argv);
  if (flags.kind === "error") return usageError(flags.message);
  const { values, rest } = flags;
  if (values["help"] !== undefined) return print(renderHelp("homcc"));
  if (values["version"] !== undefined) return print(`homcc ${version}\n`);
  if (values["show_hosts"] !== undefined) return { kind: "show", what: "hosts", options: values };
  if (values["show_concurrency"] !== undefined) return { kind: "show", what: "concurrency", options: values };
  if (values["show_variables"] !== undefined) return { kind: "show", what: "variables", options: values };
  if (rest.length === 0) return usageError("the compiler is missing (homcc --help shows how to call homcc)");
  const isCompiler = throughLink || argv[argv.length - rest.length - 1] === "--" || isAboutCompiler(values);
  const own = isCompiler ? undefined : ownWordOf(rest[0]);
  if (own !== undefined) {
    const command = parseOwnWord(own, rest.slice(1), values);
    return "usage" in command ? usageError(`usage: ${command.usage}`) : command;
  }
  const { scan_includes: scanIncludes, verify_scan: verifyScan, ...options } = values;
  return {
    kind: "launch",
    command: rest,
    options: {
      ...options,
      ...(scanIncludes === undefined ? {} : { "scan-includes": scanIncludes }),
      ...(verifyScan === undefined ? {} : { "verify-scan": verifyScan }),
    },
  };
}

function isAboutCompiler(values: Readonly<Record<string, string>>): boolean {
  return ["audit", "explain", "scan_includes", "verify_scan"].some((name) => values[name] !== undefined);
}

function print(stdout: string): ClientCommand {
  return { kind: "print", status: 0, stdout, stderr: "" };
}

function usageError(message: string): ClientCommand {
  return { kind: "print", status: usageStatus, stdout: "", stderr: `${clientLine("ERROR", message)}\n` };
}
