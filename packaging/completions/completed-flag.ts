import { optionsOf, type Option, type Program } from "@homcc/config/options";
import { path } from "@homcc/config/values";

/** A flag as shells complete it. */
export interface CompletedFlag {
  readonly flag: string;
  /** One line. */
  readonly summary: string;
  readonly value:
    | { readonly kind: "none" | "path" }
    | { readonly kind: "word"; readonly name: string }
    | { readonly kind: "choice"; readonly name: string; readonly choices: readonly string[] };
}

/** Words of homcc that are no compilers, with the flags of their own. */
export const ownWords: readonly { readonly word: string; readonly summary: string }[] = [
  { word: "status", summary: "what the agent and the servers do now" },
  { word: "stats", summary: "what became of the jobs so far, and why" },
  { word: "doctor", summary: "what is wrong, and what to do" },
  { word: "audit", summary: "what differed when this machine compiled again what servers had made" },
  { word: "pair", summary: "keep what homccd pair printed, and add its server" },
];

/** Words of homccd that ask something of a server, or change what it knows of its clients. */
export const serverWords: readonly { readonly word: string; readonly summary: string }[] = [
  { word: "drain", summary: "finish what runs, send clients elsewhere, and end" },
  { word: "reload", summary: "read homcc.conf anew" },
  { word: "toolchain", summary: "folders in which compilers of clients are looked for" },
  { word: "pair", summary: "print a line for homcc pair" },
  { word: "clients", summary: "who was paired, until when, and who was here last" },
  { word: "revoke", summary: "end the connections of a client and refuse it" },
  { word: "forget", summary: "remove the records of a revoked client" },
];

export function completedFlags(program: Program): readonly CompletedFlag[] {
  return optionsOf(program).flatMap(([, option]) =>
    option.flags.map((flag) => ({ flag, summary: summaryOf(option), value: valueOf(option) })),
  );
}

/** The first sentence, without what a shell or its completion takes for something else. */
function summaryOf({ paragraph }: Option): string {
  const [sentence = ""] = paragraph.split(/(?<=[^.])\.(?: |$)|: /);
  return sentence.replaceAll(/[`'"[\]\\$]/g, "");
}

function valueOf({ type }: Option): CompletedFlag["value"] {
  if (type.metavar === "") return { kind: "none" };
  if (type === path) return { kind: "path" };
  if (type.choices !== undefined) return { kind: "choice", name: type.metavar, choices: type.choices };
  return { kind: "word", name: type.metavar };
}
