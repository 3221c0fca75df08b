import type { ServerSettings } from "@homcc/config/settings";
import { describeError } from "@homcc/observability/error";
import type { Administration } from "./administration.ts";
import { Docker } from "./docker.ts";
import { Schroot } from "./schroot.ts";

const hint = `No profiles: there are no schroot profiles and no docker containers here that clients may name.
docs/sandboxes.md says how to make some.
`;

/** What `homccd --profiles` prints: one name a line, and what is wrong with it. */
export async function describeProfiles(
  administration: Administration,
  { allowedProfiles, allowedContainers }: Pick<ServerSettings, "allowedProfiles" | "allowedContainers">,
): Promise<string> {
  const profiles = (await schrootProfiles(administration)).filter((name) => allowedProfiles.includes(name));
  const docker = await dockerContainers(administration);
  const containers = docker.containers.filter(({ name }) => allowedContainers.includes(name));
  const sections = [
    section(
      "schroot profiles:",
      profiles.map((name) => `  ${name}`),
    ),
    section("docker containers:", [
      ...containers.map(({ name, state }) => `  ${name}${state === "running" ? "" : ` (${state})`}`),
      ...docker.problem.map((problem) => `  ${problem}`),
    ]),
  ];
  return sections.join("") || hint;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${[title, ...lines].join("\n")}\n`;
}

async function schrootProfiles(administration: Administration): Promise<string[]> {
  const program = administration.find("schroot");
  return program === undefined ? [] : await new Schroot(program, administration, "").profiles();
}

async function dockerContainers(administration: Administration) {
  const program = administration.find("docker");
  if (program === undefined) return { containers: [], problem: [] };
  try {
    return { containers: await new Docker(program, administration).containers(), problem: [] };
  } catch (error) {
    return { containers: [], problem: [describeError(error)] };
  }
}
