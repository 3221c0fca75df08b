import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Locales of this machine, in the canonical spelling. Empty when `locale` is missing. */
export async function installedLocales(): Promise<ReadonlySet<string>> {
  try {
    const { stdout } = await promisify(execFile)("locale", ["-a"], { encoding: "latin1", timeout: 10_000 });
    return new Set(
      stdout
        .split("\n")
        .filter((name) => name !== "")
        .map(canonical),
    );
  } catch {
    return new Set();
  }
}

/** Variables that name a locale for the categories a compiler uses. */
const localeVariables = ["LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LANG"];

/**
 * `environment` with C for each locale that is not installed: setlocale(3) gives C for it here, and must not find it on
 * a server that has it.
 */
export function withInstalledLocales(
  environment: Readonly<Record<string, string>>,
  installed: ReadonlySet<string>,
): Readonly<Record<string, string>> {
  const replaced = localeVariables.flatMap((name) => {
    const locale = environment[name] ?? "";
    return locale === "" || isLocaleKnown(locale, installed) ? [] : [[name, "C"] as const];
  });
  return { ...environment, ...Object.fromEntries(replaced) };
}

/** Whether messages asked for in `locale` come out as on the client; C needs no data. */
export function isLocaleKnown(locale: string | undefined, installed: ReadonlySet<string>): boolean {
  return locale === undefined || locale === "C" || locale === "POSIX" || installed.has(canonical(locale));
}

/** glibc compares code sets without case and punctuation: `de_DE.UTF-8` is `de_DE.utf8`. */
function canonical(locale: string): string {
  const [name = "", codeset] = locale.split(".", 2);
  return codeset === undefined ? name : `${name}.${codeset.toLowerCase().replaceAll(/[^a-z0-9@]/g, "")}`;
}
