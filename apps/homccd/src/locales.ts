import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Locales of this machine, in the canonical spelling. Empty when `locale` is missing. */
export async function installedLocales(): Promise<ReadonlySet<string>> {
  try {
    const { stdout } = await promisify(execFile)("locale", ["-a"], { encoding: "latin1", timeout: 10_000 });
    return new Set(stdout.split("\n").filter((name) => name !== "").map(canonical));
  } catch {
    return new Set();
  }
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
