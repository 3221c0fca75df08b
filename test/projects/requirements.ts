import { hasProgram } from "../support/requirements.ts";
import type { Project } from "./project.ts";

/** Of the harness: apt and tar fetch, the others put the server far away. */
const programs = ["apt-get", "tar", "ip", "unshare"];

/** What this machine lacks to build the project here, or `undefined`. */
export function missingRequirement(project: Project): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  const missing = [...programs, ...project.programs].find((name) => !hasProgram(name));
  return missing === undefined ? undefined : `needs ${missing}`;
}
