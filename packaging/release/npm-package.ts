import { chmod, copyFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BuildFacts } from "../build-facts.ts";
import { renderThirdPartyLicences } from "../licences.ts";
import { manualPageName, renderManualPage } from "../manual-page.ts";
import { layOutPrograms, type NativePrograms, type ProgramName } from "../program-tree.ts";
import { repository, run } from "../scratch.ts";

const purposes: Readonly<Record<ProgramName, string>> = {
  homcc: "Distributed C and C++ compiler for people who work from home: the client",
  homccd: "Distributed C and C++ compiler for people who work from home: the build server",
};

/**
 * Stands where the programs look for Node. npm puts the package with Node inside this one or beside it; a link cannot be part
 * of an npm package, and nothing may run at installation that could make one.
 */
const nodeScript = `#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
for place in "$here/../node_modules" "$here/../.."; do
  node=$place/node-linux-${process.arch}/bin/node
  if [ -x "$node" ]; then exec "$node" "$@"; fi
done
echo "homcc: the package node-linux-${process.arch} is missing: install this package again" >&2
exit 127
`;

/**
 * OUTPUT/PROGRAM-VERSION-ARCHITECTURE.tgz, for `npm install --global FILE`. Its command is the native program itself, so that it
 * is as fast as that of the other packages, with install scripts blocked, and where only root may write. Returns its path.
 */
export async function makeNpmPackage(
  program: ProgramName,
  { version, releases }: BuildFacts,
  native: NativePrograms,
  { scratch, output }: { readonly scratch: string; readonly output: string },
): Promise<string> {
  const folder = join(scratch, `npm-${program}`);
  await layOutPrograms(folder, [program], native);
  await rm(join(folder, "dist/node"));
  await writeFile(join(folder, "dist/node"), nodeScript);
  for (const name of [`bin/${program}`, "dist/node"]) await chmod(join(folder, name), 0o755);
  const page = manualPageName(program);
  const [date = new Date(0)] = releases.map((release) => release.date);
  await writeFile(join(folder, page), renderManualPage(program, version, date));
  for (const document of ["LICENSE", "CHANGELOG.md", "README.md"])
    await copyFile(join(repository, document), join(folder, document));
  await writeFile(join(folder, "THIRD-PARTY-LICENSES.txt"), await renderThirdPartyLicences());
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest(program, version), null, 2)}\n`);
  await run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", scratch, folder], {
    cwd: scratch,
  });
  const path = join(output, `${program}-${version}-${process.arch}.tgz`);
  await rename(join(scratch, `${program}-${version}.tgz`), path);
  return path;
}

function manifest(program: ProgramName, version: string): Readonly<Record<string, unknown>> {
  const commands = program === "homcc" ? ["homcc", "homcc-update-masquerade"] : ["homccd"];
  return {
    name: program,
    version,
    description: purposes[program],
    license: "MIT",
    os: ["linux"],
    cpu: [process.arch],
    bin: Object.fromEntries(commands.map((name) => [name, `bin/${name}`])),
    man: [manualPageName(program)],
    files: ["bin", "dist", "native", manualPageName(program), "CHANGELOG.md", "THIRD-PARTY-LICENSES.txt"],
    dependencies: { [`node-linux-${process.arch}`]: "^24.0.0" },
  };
}
