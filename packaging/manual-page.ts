/** The manual pages, from the same table and texts as `--help`. */
import { closings, openings } from "@homcc/config/help";
import { keysOf, optionsOf, type Option, type Program } from "@homcc/config/options";

const sections: Readonly<Record<Program, number>> = { homcc: 1, homccd: 8 };
const purposes: Readonly<Record<Program, string>> = {
  homcc: "compile C and C++ on other machines",
  homccd: "build server for homcc",
};
const seeAlso: Readonly<Record<Program, readonly string[]>> = {
  homcc: ["homccd(8)", "homcc-update-masquerade(8)", "ccache(1)", "gcc(1)", "clang(1)"],
  homccd: ["homcc(1)", "systemctl(1)", "schroot(1)", "docker(1)"],
};

/** `homcc.1` */
export function manualPageName(program: Program): string {
  return `${program}.${sections[program]}`;
}

/** The page in roff with the macros of man(7). */
export function renderManualPage(program: Program, version: string, date: Date): string {
  const [usage = "", ...description] = openings[program].split("\n\n");
  const options = optionsOf(program);
  const withFlags = options.filter(([, option]) => option.flags.length > 0);
  const without = options.filter(([, option]) => option.flags.length === 0);
  return [
    `.TH ${program.toUpperCase()} ${sections[program]} ${date.toISOString().slice(0, 10)} "homcc ${version}"`,
    `.SH NAME\n${program} \\- ${escape(purposes[program])}`,
    `.SH SYNOPSIS\n${preformatted(usage.replace("Usage: ", "").replaceAll(/^ {7}/gm, ""))}`,
    `.SH DESCRIPTION\n${description.map(escape).join("\n.PP\n")}`,
    ".SH OPTIONS",
    ...withFlags.map(([, option]) => entry(flagsText(option), option)),
    ".SH ENVIRONMENT\nThe options above name their variables; these have no flag.",
    ...without.map(([, option]) => entry(option.variables.map(bold).join(", "), option)),
    ...closings[program].split("\n\n").map(closingSection),
    `.SH SEE ALSO\n${seeAlso[program].map((page) => page.replace(/^(.*)(\(\d\))$/, (_, name: string, section: string) => bold(name) + section)).join(",\n")}`,
    "",
  ].join("\n");
}

export function renderMasqueradePage(version: string, date: Date): string {
  return `.TH HOMCC-UPDATE-MASQUERADE 8 ${date.toISOString().slice(0, 10)} "homcc ${version}"
.SH NAME
homcc\\-update\\-masquerade \\- links to homcc with the names of the installed compilers
.SH SYNOPSIS
.B homcc\\-update\\-masquerade
.RB [ \\-\\-remove ]
.RI [ FOLDER ]
.SH DESCRIPTION
Makes a link to homcc in
.I FOLDER
for each compiler in /usr/bin and /usr/local/bin, and removes those whose compiler is gone. Without
.I FOLDER
that is /usr/lib/homcc/masquerade, and dpkg calls the program whenever a package with compilers comes or goes. With this
folder first in PATH, builds that know nothing of homcc are distributed.
.SH OPTIONS
.TP
.B \\-\\-remove
Remove all links.
.SH SEE ALSO
.BR homcc (1)
`;
}

function flagsText({ flags, type }: Option): string {
  const value = type.metavar === "" ? "" : ` \\fI${escape(type.metavar)}\\fR`;
  return flags.map((flag) => bold(flag) + value).join(", ");
}

function entry(heading: string, option: Option): string {
  const facts = [
    option.flags.length > 0 && option.variables.length > 0
      ? `variable ${option.variables.map(bold).join(", ")}`
      : undefined,
    keysOf(option).length === 0 ? undefined : `key ${keysOf(option).map(bold).join(" or ")}`,
    option.type.metavar === "" ? undefined : `allowed: ${escape(option.type.allowed)}`,
    defaultText(option),
  ].filter((part) => part !== undefined);
  const more = facts.length === 0 ? "" : `\n.br\n[${facts.join("; ")}]`;
  return `.TP\n${heading}\n${escape(option.paragraph)}${more}`;
}

function defaultText({ default: text, computedDefault }: Option): string | undefined {
  const given = text ?? computedDefault;
  return given === undefined ? undefined : `default: ${escape(given)}`;
}

/** "Files, …" and "Exit status: …" become sections; the lines of the first stay as they are. */
function closingSection(paragraph: string): string {
  const status = /^Exit status: (.*)/s.exec(paragraph)?.[1];
  return status === undefined
    ? `.SH FILES\n${preformatted(paragraph)}`
    : `.SH EXIT STATUS\n${escape(status)}`;
}

function preformatted(text: string): string {
  return `.nf\n${escape(text)}\n.fi`;
}

function bold(text: string): string {
  return `\\fB${escape(text)}\\fR`;
}

/** A dash is typed, not typeset; a dot or an apostrophe at the beginning of a line is no request. */
function escape(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/^([.'])/gm, "\\&$1");
}
