import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { HomccError } from "@homcc/observability/error";

export interface FoundCompiler {
  /** Absolute. */
  readonly path: string;
  /** Its argv[0], see LaunchRequest.argv. */
  readonly name: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Real paths of the programs that homcc has started further up, separated by `:`. */
const safeguardVariable = "_HOMCC_SAFEGUARD";
/** Set by a launcher that was called through a masquerade link and hands over to the command line. */
export const throughLinkVariable = "_HOMCC_THROUGH_LINK";

/**
 * The program that `word` stands for: a path as it is, a name by PATH, in both cases never homcc itself
 * (`launcherPath`) and never a program that homcc has started further up. `undefined` when there is none.
 *
 * A masquerade link stands for the next program of its name behind the folder of the link, so that what the user put
 * before it (ccache, a wrapper) is not started a second time; only if there is none, for any other of that name.
 */
export function findCompiler(
  word: string,
  environment: Environment,
  launcherPath: string,
): FoundCompiler | undefined {
  const isCircular = (program: string): boolean =>
    isSameFile(program, launcherPath) || safeguardOf(environment).includes(safeguardEntry(program));
  const recursion = (): HomccError =>
    new HomccError("ERR_HOMCC_RECURSION", `Specified compiler '${word}' has been invoked recursively!`);

  if (word.includes("/")) {
    if (isCircular(word)) throw recursion();
    return { path: word.startsWith("/") ? word : `${process.cwd()}/${word}`, name: word };
  }
  const throughLink = environment[throughLinkVariable] !== undefined;
  const programs = programsNamed(word, environment["PATH"] ?? "/bin:/usr/bin");
  const link = throughLink ? programs.findIndex((program) => isSameFile(program, launcherPath)) : -1;
  const behindLink = link < 0 ? [] : programs.slice(link + 1);
  const chosen = [...behindLink, ...programs].find((program) => !isCircular(program));
  if (chosen === undefined) {
    if (programs.length > 0 || throughLink) throw recursion();
    return undefined;
  }
  const path = resolve(chosen);
  // gcc looks for its parts beside the first program of its argv[0] in PATH: that must be gcc, not the link.
  return { path, name: chosen === programs[0] ? word : path };
}

/** `environment` for a program that homcc starts: with the program among those that must not be started again. */
export function guardedEnvironment(environment: Environment, program: string): Environment {
  const entries = safeguardOf(environment);
  const entry = safeguardEntry(program);
  const list = entries.includes(entry) ? entries : [...entries, entry];
  return { ...environment, [safeguardVariable]: list.join(":"), [throughLinkVariable]: undefined };
}

function safeguardOf(environment: Environment): readonly string[] {
  return (environment[safeguardVariable] ?? "").split(":").filter((entry) => entry !== "");
}

function safeguardEntry(program: string): string {
  try {
    return realpathSync(program).replaceAll(":", "?");
  } catch {
    return program.replaceAll(":", "?");
  }
}

function programsNamed(name: string, path: string): string[] {
  if (name === "") return [];
  return path
    .split(":")
    .map((folder) => `${folder === "" ? "." : folder}/${name}`)
    .filter((program) => isProgram(program));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isSameFile(left: string, right: string): boolean {
  try {
    const a = statSync(left, { bigint: true });
    const b = statSync(right, { bigint: true });
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}
