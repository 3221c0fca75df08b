import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "@homcc/cas/digest";
import { homccProgram } from "./repository.ts";
import type { Server } from "./server.ts";
import { createWorkplace, type Workplace } from "./workplace.ts";

/** Two developers of one project, in folders of different length. */
export async function createDevelopers(server: Server): Promise<readonly [Workplace, Workplace]> {
  const hosts = `${server.address}/4`;
  const parent = server.storeFolder.replace(/\/store$/, "");
  return [await createWorkplace({ hosts }), await createWorkplace({ hosts, parent })];
}

export interface DeveloperCommand {
  /** `ROOT` is the developer's folder; a program first. */
  readonly command: string;
  /** Besides the object. */
  readonly outputs?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Compiles with the plain compiler and with homcc, compares all that they wrote and said, and says where homcc's result came
 * from. `salt` is an argument by which tests do not find each other's results.
 */
export async function compileTwice(
  place: Workplace,
  item: DeveloperCommand,
  salt: string,
): Promise<"kept" | "compiled"> {
  const own = (text: string): string =>
    text.replaceAll("ROOT", place.project).replaceAll(`D${place.project}_NAME`, "DROOT_NAME");
  const words = [...item.command.split(" ").map(own), salt];
  const variables = Object.entries(item.environment ?? {}).map(([name, value]) => [name, own(value)]);
  const environment = place.environment(Object.fromEntries(variables));
  const known = (await place.jobs()).length;
  const outputs = ["a.o", ...(item.outputs ?? [])].map((name) => join(place.project, name));
  const runs = [];
  for (const argv of [words, [homccProgram, ...words]]) {
    for (const output of outputs) await rm(output, { force: true });
    const { status, stdout, stderr } = await place.run(argv, { environment });
    const contents = await Promise.all(outputs.map((output) => readFile(output).then(digestOf)));
    runs.push({ status, stdout, stderr, contents });
  }
  assert.deepEqual(runs[1], runs[0]);
  const outcome = (await place.jobs(known + 1)).at(-1)?.outcome;
  assert.ok(outcome === "result-from-server" || outcome === "compiled-remotely", outcome);
  return outcome === "compiled-remotely" ? "compiled" : "kept";
}
