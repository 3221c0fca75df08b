import { posix } from "node:path";

/** Text domains whose messages a compile can print. */
function domains(majorVersion: string): string[] {
  const gcc = ["gcc", "cpplib"];
  return [
    ...gcc,
    ...gcc.map((name) => `${name}-${majorVersion}`),
    "gas",
    "bfd",
    "opcodes",
    "binutils",
    "libc",
  ];
}

/** They decide which. */
export const localeVariables = ["LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES"] as const;

/**
 * Files in which gcc and the assembler look for translations of their messages, in the environment's languages: none
 * in the C locale. Whether they exist decides what is printed.
 */
export function messageCatalogs(
  environment: Readonly<Record<string, string>>,
  compilerPath: string,
  majorVersion: string,
): string[] {
  const prefix = posix.dirname(posix.dirname(compilerPath));
  const roots = new Set(["/usr/share/locale", posix.join(prefix, "share/locale")]);
  const files: string[] = [];
  for (const root of roots) {
    for (const language of languages(environment).flatMap(variants)) {
      for (const domain of domains(majorVersion)) files.push(`${root}/${language}/LC_MESSAGES/${domain}.mo`);
    }
  }
  return files;
}

/** As gettext: the locale of messages, or the list in LANGUAGE unless that locale is C. */
function languages(environment: Readonly<Record<string, string>>): string[] {
  const set = (name: string): string | undefined => environment[name] || undefined;
  const locale = set("LC_ALL") ?? set("LC_MESSAGES") ?? set("LANG") ?? "C";
  if (locale === "C" || locale === "POSIX") return [];
  const wanted = set("LANGUAGE")?.split(":") ?? (/^C[.@]/.test(locale) ? [] : [locale]);
  return wanted.filter((language) => language !== "" && language !== "C" && !language.includes("/"));
}

/** `de_DE.UTF-8@euro`: with and without each of its parts, as glibc looks. */
function variants(locale: string): string[] {
  const [, language = "", territory = "", codeset = "", modifier = ""] =
    /^([^_.@]+)(_[^.@]+)?(\.[^@]+)?(@.+)?$/.exec(locale) ?? [];
  if (language === "") return [];
  const normalised = codeset.toLowerCase().replaceAll(/[^a-z0-9.]/g, "");
  const found = new Set<string>();
  for (const at of new Set([modifier, ""])) {
    for (const place of new Set([territory, ""])) {
      for (const set of new Set([codeset, normalised, ""])) found.add(`${language}${place}${set}${at}`);
    }
  }
  return [...found];
}
