import { join } from "node:path";

/** The built programs, as they lie beside each other: bin/homcc and dist/. */
export interface Installation {
  readonly nodePath: string;
  readonly agentPath: string;
  /** The agent's work for a single call. */
  readonly withoutAgentPath: string;
  /** `homcc doctor`. */
  readonly doctorPath: string;
  /** bin/homcc, which a search for a compiler must never find. */
  readonly launcherPath: string;
}

/** `distFolder` is the folder of the bundles, `import.meta.dirname` in one of them. */
export function installationAround(distFolder: string): Installation {
  return {
    nodePath: join(distFolder, "node"),
    agentPath: join(distFolder, "agent.mjs"),
    withoutAgentPath: join(distFolder, "without-agent.mjs"),
    doctorPath: join(distFolder, "doctor.mjs"),
    launcherPath: join(distFolder, "..", "bin", "homcc"),
  };
}
