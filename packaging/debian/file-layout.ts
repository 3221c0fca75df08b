import { chmod, copyFile, cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Release, renderDebianChangelog } from "../changelog.ts";
import { renderBashCompletion } from "../completions/bash.ts";
import { renderFishCompletion } from "../completions/fish.ts";
import { renderZshCompletion } from "../completions/zsh.ts";
import { renderCopyright, renderThirdPartyLicences } from "../licences.ts";
import { manualPageName, renderManualPage, renderMasqueradePage } from "../manual-page.ts";
import { layOutPrograms, type NativePrograms, type ProgramName } from "../program-tree.ts";

const sources = import.meta.dirname;

export interface LayoutFacts {
  readonly native: NativePrograms;
  readonly maintainer: string;
  readonly releases: readonly Release[];
}

/** Fills `root` with all files that the package installs, at their places below `/`. */
export async function layOutFiles(root: string, name: ProgramName, facts: LayoutFacts): Promise<void> {
  await layOutPrograms(join(root, "usr/lib", name), [name], facts.native);
  await linkTo(`../lib/${name}/bin/${name}`, join(root, "usr/bin", name));
  await layOutDocumentation(root, name, facts);
  await put(root, `usr/share/lintian/overrides/${name}`, await readSource(name, "lintian-overrides"));
  await put(root, `usr/share/${name}/homcc.conf`, await readSource("homcc.conf"));
  await mkdir(join(root, "etc/homcc"), { recursive: true });
  if (name === "homcc") await layOutClient(root);
  else await layOutServer(root);
}

async function layOutClient(root: string): Promise<void> {
  await put(root, "etc/homcc/hosts", await readSource("homcc", "hosts"));
  await linkTo("../lib/homcc/bin/homcc-update-masquerade", join(root, "usr/sbin/homcc-update-masquerade"));
  await mkdir(join(root, "usr/lib/homcc/masquerade"));
}

async function layOutServer(root: string): Promise<void> {
  await put(root, "lib/systemd/system/homccd.service", await renderServiceUnit());
  await put(root, "usr/share/homccd/apparmor-profile", await readSource("homccd", "apparmor-profile"));
  await cp(join(sources, "homccd/examples"), join(root, "usr/share/doc/homccd/examples"), {
    recursive: true,
  });
}

/** The unit has what the drop-in `default.conf` documents, without its comments and its section. */
export async function renderServiceUnit(): Promise<string> {
  const unit = await readSource("homccd", "homccd.service");
  const hardening = await readSource("homccd", "examples", "default.conf");
  return unit.replace("#HARDENING#\n", hardening.replaceAll(/^(?:#.*|\[Service\])\n/gm, ""));
}

async function layOutDocumentation(root: string, name: ProgramName, facts: LayoutFacts): Promise<void> {
  const { releases, maintainer } = facts;
  const [latest] = releases;
  if (latest === undefined) throw new Error("CHANGELOG.md names no version");
  const documents = `usr/share/doc/${name}`;
  await put(
    root,
    `${documents}/changelog.gz`,
    gzipSync(renderDebianChangelog(name, maintainer, releases), { level: 9 }),
  );
  await put(
    root,
    `${documents}/copyright`,
    await renderCopyright("third-party-licences.gz beside this file"),
  );
  await put(
    root,
    `${documents}/third-party-licences.gz`,
    gzipSync(await renderThirdPartyLicences(), { level: 9 }),
  );
  const page = manualPageName(name);
  await putPage(root, page, renderManualPage(name, latest.version, latest.date));
  if (name === "homcc")
    await putPage(root, "homcc-update-masquerade.8", renderMasqueradePage(latest.version, latest.date));
  await put(root, `usr/share/bash-completion/completions/${name}`, renderBashCompletion(name));
  await put(root, `usr/share/zsh/vendor-completions/_${name}`, renderZshCompletion(name));
  await put(root, `usr/share/fish/vendor_completions.d/${name}.fish`, renderFishCompletion(name));
}

async function putPage(root: string, page: string, text: string): Promise<void> {
  await put(root, `usr/share/man/man${page.slice(-1)}/${page}.gz`, gzipSync(text, { level: 9 }));
}

async function put(root: string, path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

async function linkTo(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

async function readSource(...path: readonly string[]): Promise<string> {
  return await readFile(join(sources, ...path), "utf8");
}

/** Scripts and lists for dpkg in `folder`, which is DEBIAN. */
export async function layOutControlFiles(folder: string, name: ProgramName): Promise<void> {
  const shared = await readSource("maintainer-functions.sh");
  for (const script of ["preinst", "postinst", "prerm", "postrm"]) {
    let text = (await readSource(name, script)).replace("#KEEP#\n", () => shared);
    if (name === "homcc") {
      const hosts = await readSource("homcc", "hosts");
      text = text.replace("#HOSTS#\n", () => hosts);
    }
    await writeFile(join(folder, script), text);
    await chmod(join(folder, script), 0o755);
  }
  if (name !== "homcc") return;
  await copyFile(join(sources, "homcc/triggers"), join(folder, "triggers"));
  await writeFile(join(folder, "conffiles"), "/etc/homcc/hosts\n");
}
