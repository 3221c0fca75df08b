import { join } from "node:path";

/** The repository's folder and the programs that set-up builds there. */
export const repository = join(import.meta.dirname, "../..");
export const homccProgram = join(repository, "bin/homcc");
export const homccdProgram = join(repository, "bin/homccd");
