/** docs/troubleshooting.md, from the table of outcomes; `scripts/docs.ts` writes it. */
import { type Outcome, outcomes } from "@homcc/observability/outcomes";

const opening = `<!-- Made from packages/observability/src/outcomes.ts by scripts/docs.ts: do not edit. -->

# Troubleshooting

Ask first; [asking.md](asking.md) describes the answers.

| question | command |
|---|---|
| Is everything set up? What is in the way, and what to do? | \`homcc doctor\` |
| What happens right now? | \`homcc status\` |
| How many files were compiled where, and why at home? | \`homcc stats\` |
| What happened to this file? | \`homcc --verbose COMPILER …\` |
| What would happen to this file? | \`homcc --explain COMPILER …\` |
| Does homcc find all headers of this file? | \`homcc --verify-scan COMPILER …\` |
| Why do two builds differ? | \`HOMCC_DEBUG_DIR=FOLDER\` |

Every job ends with one of the outcomes below, and its line in the agent's log has its label. Of the local ones and the
fallbacks the result is that of the local compiler: they cost time and nothing else.

`;

const kindText: Readonly<Record<Outcome["kind"], string>> = {
  remote: "The result came from a server.",
  local: "Compiled at home on purpose.",
  fallback: "Compiled at home because something was in the way.",
};

/** Text of docs/troubleshooting.md: one section for each outcome, by number. */
export function renderTroubleshootingDocument(): string {
  const sections = Object.entries<Outcome>(outcomes)
    .sort(([, one], [, other]) => one.number - other.number)
    .map(([name, outcome]) => renderSection(name, outcome));
  return `${opening}${sections.join("\n")}`;
}

function renderSection(name: string, { number, kind, label, paragraph, cure }: Outcome): string {
  return `## ${number}: ${label}

\`${name}\`. ${kindText[kind]}

${paragraph}

**What to do.** ${cure}
`;
}
