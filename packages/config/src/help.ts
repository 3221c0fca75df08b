import { keysOf, optionsOf, type Option, type Program } from "./options.ts";

const width = 100;
const indent = "      ";

/** Usage, and below an empty line what the program does. */
export const openings: Readonly<Record<Program, string>> = {
  homcc: `Usage: homcc [OPTION]... COMPILER [ARGUMENT]...
       homcc status [--json]              what the agent and the servers do now
       homcc stats [--json] [--zero]      what became of the jobs so far, and why
       homcc doctor [HOST]...             what is wrong, and what to do
       homcc pair [LINE | -]              keep what homccd pair printed, and add its server

Compiles on another machine what COMPILER would compile here, with the same result, and falls back
to compiling here. The first word that is neither an option nor its value is the compiler. Called
through a link with a compiler's name, homcc acts for that compiler.`,
  homccd: `Usage: homccd [OPTION]...
       homccd [--store PATH] drain        finish what runs, send clients elsewhere, and end
       homccd [--store PATH] reload       read homcc.conf anew; connections and jobs stay
       homccd pair --name NAME [--expires 90d] [--host HOST]...   print a line for homcc pair
       homccd clients                     who was paired, who was here last, what each stores
       homccd revoke NAME                 end the connections of NAME and refuse it from now on
       homccd forget NAME                 remove the records of a revoked NAME
       homccd [--store PATH] toolchain add FOLDER | remove FOLDER | list
                                          where clients' compilers are looked for

Serves homcc clients: receives sources and headers, runs the compiler, sends the outputs back.`,
};

/** Paragraphs about files, order of sources, and exit status. */
export const closings: Readonly<Record<Program, string>> = {
  homcc: `Files, the first folder first: $HOMCC_DIR, ~/.homcc, ~/.config/homcc, /etc/homcc
${indent}hosts        the servers, one a line: HOST, HOST:PORT, [IPV6]:PORT, each with /LIMIT
${indent}             and then ,COMPRESSION, or ,key=FINGERPRINT for a paired one, or ,tls
${indent}homcc.conf   keys in a section [homcc]; several files merge, the first folder wins key by key
The command line beats the environment, the environment beats the files.

Exit status: the compiler's, or of homcc itself: 2 bad command line, 64 bad call (two sandboxes,
recursion), 66 no hosts, 69 no remote compilation and no local one allowed. doctor: 1 when there
is a problem.`,
  homccd: `Files, the first folder first: $HOMCC_DIR, ~/.homcc, ~/.config/homcc, /etc/homcc
${indent}homcc.conf   keys in a section [homccd]; several files merge, the first folder wins key by key
The command line beats the environment, the environment beats the files.

Exit status: 0 stopped on request, 2 bad command line, 71 the address cannot be bound,
78 bad configuration.`,
};

/** Text of `--help`, from the table of options. */
export function renderHelp(program: Program): string {
  const options = optionsOf(program);
  const withFlags = options.filter(([, option]) => option.flags.length > 0);
  const without = options.filter(([, option]) => option.flags.length === 0);
  return [
    `${openings[program]}\n`,
    "Options:",
    ...withFlags.map(([, option]) => renderOption(flagsText(option), option)),
    "Without a flag:",
    ...without.map(([, option]) => renderOption(option.variables.join(", "), option)),
    `${closings[program]}\n`,
  ].join("\n");
}

function flagsText(option: Option): string {
  const value = option.type.metavar === "" ? "" : ` ${option.type.metavar}`;
  return option.flags.map((flag) => `${flag}${value}`).join(", ");
}

function renderOption(heading: string, option: Option): string {
  const otherNames = [
    option.flags.length > 0 && option.variables.length > 0 ? option.variables.join(", ") : undefined,
    keysOf(option).length === 0 ? undefined : `key ${keysOf(option).join(" or ")}`,
    defaultText(option),
  ].filter((part) => part !== undefined);
  const lines = wrap(option.paragraph, width - indent.length);
  if (otherNames.length > 0) lines.push(...wrap(`[${otherNames.join("; ")}]`, width - indent.length));
  return [`  ${heading}`, ...lines.map((line) => indent + line), ""].join("\n");
}

function defaultText(option: Option): string | undefined {
  const text = option.default ?? option.computedDefault;
  return text === undefined ? undefined : `default: ${text}`;
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
