import type { BuildFacts } from "../build-facts.ts";
import { makeNativePrograms, type ProgramName } from "../program-tree.ts";
import { inScratchFolder } from "../scratch.ts";
import { buildDebianPackage, type Compression } from "./build-package.ts";
import { debianPackages } from "./package-table.ts";

/** Makes the packages of these programs, at the same time: xz takes one processor for each. Returns their paths. */
export async function makeDebianPackages(
  names: readonly ProgramName[],
  options: {
    readonly facts: BuildFacts;
    readonly compression: Compression;
    readonly output: string;
  },
): Promise<string[]> {
  const { facts, compression, output } = options;
  process.env["SOURCE_DATE_EPOCH"] = String(facts.epochSeconds); // dpkg-deb reads it
  return await inScratchFolder(output, async (scratch) => {
    const native = await makeNativePrograms(scratch);
    const wanted = debianPackages.filter(({ name }) => names.includes(name));
    return await Promise.all(
      wanted.map((item) => buildDebianPackage(item, { ...facts, native, compression }, { scratch, output })),
    );
  });
}
