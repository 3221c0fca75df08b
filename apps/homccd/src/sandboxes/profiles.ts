import { type OfferedSandbox, offeredSandboxes, type OffersCall } from "./offers.ts";

const hint = `No profiles: there are no schroot profiles and no docker containers here that clients may name.
docs/sandboxes.md says how to make some.
`;

/** What `homccd --profiles` prints: one name a line, and what is wrong with it. Clients are told the same. */
export async function describeProfiles(call: OffersCall): Promise<string> {
  const { profiles, containers, problems } = await offeredSandboxes(call);
  const sections = [
    section("schroot profiles:", profiles.map(line)),
    section("docker containers:", containers.map(line)),
    ...problems.map((problem) => `${problem}\n`),
  ];
  return sections.join("") || hint;
}

function line({ name, problem }: OfferedSandbox): string {
  return `  ${name}${problem === undefined ? "" : ` (${problem})`}`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${[title, ...lines].join("\n")}\n`;
}
