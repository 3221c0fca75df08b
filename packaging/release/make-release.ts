import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { BuildFacts } from "../build-facts.ts";
import { makeDebianPackages } from "../debian/make-packages.ts";
import { renderThirdPartyLicences } from "../licences.ts";
import { makeNativePrograms, programNames } from "../program-tree.ts";
import { inScratchFolder, repository, run } from "../scratch.ts";
import { makeArchive } from "./archive.ts";
import { type PackageLock, renderBillOfMaterials } from "./bill-of-materials.ts";
import { makeNpmPackage } from "./npm-package.ts";

/** Makes everything that is published, in `output`, and returns the paths; the last one is SHA256SUMS over all others. */
export async function makeRelease(facts: BuildFacts, output: string): Promise<string[]> {
  const packages = await makeDebianPackages(programNames, { facts, compression: "xz", output });
  const others = await inScratchFolder(output, async (scratch) => {
    const native = await makeNativePrograms(scratch);
    const places = { scratch, output };
    const npm = programNames.map((program) => makeNpmPackage(program, facts, native, places));
    return await Promise.all([makeArchive(facts, native, places), ...npm]);
  });
  const lock: PackageLock = JSON.parse(await readFile(join(repository, "package-lock.json"), "utf8"));
  const documents = ["sbom.cdx.json", "THIRD-PARTY-LICENSES.txt", "CHANGELOG.md"].map((name) =>
    join(output, name),
  );
  const [billOfMaterials = "", licences = "", changelog = ""] = documents;
  // "glibc 2.36"
  const [, glibcVersion = ""] = (await run("getconf", ["GNU_LIBC_VERSION"])).trim().split(" ");
  await writeFile(billOfMaterials, renderBillOfMaterials(lock, facts, glibcVersion));
  await writeFile(licences, await renderThirdPartyLicences());
  await copyFile(join(repository, "CHANGELOG.md"), changelog);
  const published = [...packages, ...others, ...documents];
  const sums = join(output, "SHA256SUMS");
  await writeFile(sums, (await Promise.all(published.map(checksumLine))).join(""));
  return [...published, sums];
}

/** As sha256sum writes and checks it. */
async function checksumLine(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return `${hash.digest("hex")}  ${basename(path)}\n`;
}
