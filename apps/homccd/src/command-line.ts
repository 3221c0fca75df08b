import { parseFlags } from "@homcc/config/flags";
import { storeFolder } from "@homcc/config/folders";
import { renderHelp } from "@homcc/config/help";
import { loadServerSettings, type SettingsCall } from "@homcc/config/load";
import { describeProblem } from "@homcc/config/problem";
import type { ServerSettings } from "@homcc/config/settings";
import { version } from "@homcc/config/version";
import { describeError, exitStatusOf, HomccError } from "@homcc/observability/error";
import { serverLine } from "@homcc/observability/log";
import { identityCommandOf, runIdentityCommand, type Told } from "./identity/identity-commands.ts";
import { askHomccd, hasControlSocket, type ControlCommand } from "./operations/control-socket.ts";
import type { ReadSettings } from "./operations/live-settings.ts";
import { serviceAccount } from "./privileges.ts";
import { Administration } from "./sandboxes/administration.ts";
import { describeProfiles } from "./sandboxes/profiles.ts";
import { sandboxPrograms } from "./sandboxes/sandboxes.ts";
import { parseToolchainCommand, runToolchainCommand } from "./toolchains/toolchain-command.ts";
import { schrootAccountOf } from "./sandboxes/schroot-account.ts";

/** What a start of homccd comes to. */
export type ServerCommand =
  | {
      readonly kind: "serve";
      readonly settings: ServerSettings;
      /** To be logged once the server has a log. */
      readonly warnings: readonly string[];
      /** Reads the same places as they are then. */
      readonly again: () => Promise<ReadSettings>;
    }
  | { readonly kind: "exit"; readonly status: number; readonly stdout: string; readonly stderr: string };

/** What can be asked of a homccd that runs: `homccd drain`, `homccd reload`. */
const administrativeCommands = ["drain", "reload"] as const satisfies readonly ControlCommand[];

/** Of the package's unit, which has a cache folder of its own. */
const serviceStore = "/var/cache/homcc/server";

/** Usage errors, as argparse has them in homcc 1.x. */
const usageStatus = 2;

/** `argv` starts after the program's own name. What cannot be used ends with a text that names every place. */
export async function parseServerCommandLine(
  argv: readonly string[],
  call: Omit<SettingsCall, "commandLine">,
): Promise<ServerCommand> {
  const flags = parseFlags("homccd", argv);
  if (flags.kind === "error") return fail(usageStatus, [flags.message]);
  if (flags.values["help"] !== undefined) return print(renderHelp("homccd"));
  if (flags.values["version"] !== undefined) return print(`homccd ${version}\n`);
  const [word, unexpected] = flags.rest;
  const identityCommand = identityCommandOf(word);
  const toolchain = word === "toolchain" ? parseToolchainCommand(flags.rest.slice(1)) : undefined;
  if (word === "toolchain" && toolchain === undefined) {
    return fail(usageStatus, ["homccd toolchain list, or add FOLDER, or remove FOLDER"]);
  }
  const asked = administrativeCommands.find((name) => name === word);
  const isOther = identityCommand !== undefined || toolchain !== undefined;
  if (!isOther && (asked === undefined ? word !== undefined : unexpected !== undefined)) {
    return fail(usageStatus, [
      `unexpected argument '${asked === undefined ? word : unexpected}' (homccd --help lists the options)`,
    ]);
  }
  const read = await readSettings(flags.values, call);
  if (read.kind === "problems") return fail(exitStatusOf.ERR_HOMCC_CONFIGURATION ?? 1, read.texts);
  const { settings, warnings } = read;
  if (identityCommand !== undefined) {
    return await tell(async () => {
      const store = await meantStore(settings.store, isStoreNamed(settings.store, call));
      return await runIdentityCommand(identityCommand, flags.rest.slice(1), { ...settings, store });
    });
  }
  if (asked !== undefined) return await ask(asked, settings.store, isStoreNamed(settings.store, call));
  if (toolchain !== undefined) {
    return await tell(async () => {
      const store = await meantStore(settings.store, isStoreNamed(settings.store, call));
      return { stdout: await runToolchainCommand(toolchain, store, call.cwd ?? "/"), stderr: "" };
    });
  }
  if (flags.values["profiles"] !== undefined) {
    const administration = new Administration(call.environment);
    // An account that cannot be had ends a start; what is listed here is worth knowing nevertheless.
    const service = await serviceAccount(settings.user).catch(() => undefined);
    const uid = service?.uid ?? process.getuid?.() ?? 0;
    const account = schrootAccountOf(uid);
    return print(
      await describeProfiles({ ...sandboxPrograms(administration, ""), account, allowed: settings }),
    );
  }
  const again = async (): Promise<ReadSettings> => {
    const fresh = await readSettings(flags.values, call);
    // What counted until now may be in it: to go on without would be to forget an `allow`.
    const unreadable =
      fresh.kind === "settings"
        ? fresh.warnings.filter((text) => text.includes(": cannot be read: ") && !warnings.includes(text))
        : [];
    return unreadable.length > 0 ? { kind: "problems", texts: unreadable } : fresh;
  };
  return { kind: "serve", settings, warnings, again };
}

async function readSettings(
  commandLine: Readonly<Record<string, string>>,
  call: Omit<SettingsCall, "commandLine">,
): Promise<ReadSettings> {
  const { settings, problems } = await loadServerSettings({ ...call, commandLine });
  const errors = problems.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return { kind: "problems", texts: errors.map(describeProblem) };
  return { kind: "settings", settings, warnings: problems.map(describeProblem) };
}

/** Named by an option, or by the folder that everything of homcc lies in. */
function isStoreNamed(store: string, { environment, cwd = "/" }: Omit<SettingsCall, "commandLine">): boolean {
  return (environment["HOMCC_DIR"] ?? "") !== "" || store !== storeFolder(undefined, environment, cwd);
}

/** Asks the homccd that runs with this store; when no store was named and none does, the one of the package's service. */
async function ask(command: ControlCommand, store: string, isNamed: boolean): Promise<ServerCommand> {
  return await tell(async () => {
    const meant = await meantStore(store, isNamed);
    const done = await askHomccd(meant, command, (text) => process.stderr.write(`${text}\n`));
    return { stdout: `${done}\n`, stderr: "" };
  });
}

async function meantStore(store: string, isNamed: boolean): Promise<string> {
  return isNamed || (await hasControlSocket(store)) ? store : serviceStore;
}

async function tell(command: () => Promise<Told>): Promise<ServerCommand> {
  try {
    return { kind: "exit", status: 0, ...(await command()) };
  } catch (error) {
    // What the system says about a folder is as much the administrator's to know as our own errors are.
    if (!(error instanceof Error) || !("code" in error)) throw error;
    const status = error instanceof HomccError ? exitStatusOf[error.code] : undefined;
    return fail(status ?? 1, [describeError(error)]);
  }
}

function print(stdout: string): ServerCommand {
  return { kind: "exit", status: 0, stdout, stderr: "" };
}

function fail(status: number, messages: readonly string[]): ServerCommand {
  const stderr = messages.map((message) => `${serverLine("ERROR", message)}\n`).join("");
  return { kind: "exit", status, stdout: "", stderr };
}
