import { copyFile, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BuildFacts } from "../build-facts.ts";
import { renderBashCompletion } from "../completions/bash.ts";
import { renderFishCompletion } from "../completions/fish.ts";
import { renderZshCompletion } from "../completions/zsh.ts";
import { renderThirdPartyLicences } from "../licences.ts";
import { manualPageName, renderManualPage } from "../manual-page.ts";
import { layOutPrograms, type NativePrograms, programNames } from "../program-tree.ts";
import { repository, run } from "../scratch.ts";

/**
 * OUTPUT/homcc-VERSION-linux-ARCHITECTURE.tar.xz: both programs in one folder that works wherever it is unpacked, for people
 * who are not root. Returns its path.
 */
export async function makeArchive(
  facts: BuildFacts,
  native: NativePrograms,
  { scratch, output }: { readonly scratch: string; readonly output: string },
): Promise<string> {
  const name = `homcc-${facts.version}-linux-${process.arch}`;
  const folder = join(scratch, name);
  await layOutPrograms(folder, programNames, native);
  for (const document of ["LICENSE", "CHANGELOG.md", "README.md"])
    await copyFile(join(repository, document), join(folder, document));
  await writeFile(join(folder, "THIRD-PARTY-LICENSES.txt"), await renderThirdPartyLicences());
  await addShellFiles(folder, facts);
  const made = join(scratch, `${name}.tar.xz`);
  const owner = ["--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", "--sort=name"];
  const times = [`--mtime=@${facts.epochSeconds}`, "--clamp-mtime"];
  await run("tar", [...owner, ...times, "-C", scratch, "-cJf", made, name], {
    environment: { XZ_OPT: "-1" },
  });
  const path = join(output, `${name}.tar.xz`);
  await rename(made, path);
  return path;
}

/** Manual pages for MANPATH, completions to be sourced or linked. */
async function addShellFiles(folder: string, { version, releases }: BuildFacts): Promise<void> {
  const [date = new Date(0)] = releases.map((release) => release.date);
  for (const program of programNames) {
    const page = manualPageName(program);
    const files = {
      [`share/man/man${page.slice(-1)}/${page}`]: renderManualPage(program, version, date),
      [`share/bash-completion/completions/${program}`]: renderBashCompletion(program),
      [`share/zsh/site-functions/_${program}`]: renderZshCompletion(program),
      [`share/fish/vendor_completions.d/${program}.fish`]: renderFishCompletion(program),
    };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(folder, path, ".."), { recursive: true });
      await writeFile(join(folder, path), text);
    }
  }
}
