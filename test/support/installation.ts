import { chmod, cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "./repository.ts";

/** A copy of the built programs: the repository may be built again meanwhile, or lie where the server sees nothing. */
export interface Installation {
  readonly homcc: string;
  readonly homccd: string;
  /** For the server's store; does not exist yet. */
  readonly store: string;
}

export async function installPrograms(folder: string): Promise<Installation> {
  await mkdir(folder);
  await chmod(folder, 0o755);
  for (const name of ["bin", "dist"]) {
    await cp(join(repository, name), join(folder, name), { recursive: true, dereference: true });
  }
  return {
    homcc: join(folder, "bin/homcc"),
    homccd: join(folder, "bin/homccd"),
    store: join(folder, "store"),
  };
}
