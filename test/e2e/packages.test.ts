/** What is in the Debian packages. packages-installed.test.ts installs them, packages.slow.test.ts in every way. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type CommandResult, runCommand } from "../support/command.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { repository } from "../support/repository.ts";
import { hasProgram, meets } from "../support/requirements.ts";
import { systemPath } from "../support/workplace.ts";

const programs = ["homcc", "homccd"] as const;
const needs = { program: "dpkg-deb" } as const;
let folder: string;

const run = (argv: readonly string[], cwd = repository): Promise<CommandResult> =>
  runCommand(argv, {
    cwd,
    environment: { PATH: systemPath, HOME: folder, LC_ALL: "C.UTF-8" },
    timeoutMs: 110_000,
  });

async function succeed(...argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run(argv);
  assert.equal(status, 0, `${argv.join(" ")}:\n${stdout}${stderr}`);
  return stdout;
}

/** The files of a package, unpacked. */
const root = (name: string): string => join(folder, name);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "homcc-test-packages-"));
  await chmod(folder, 0o755);
  if (!hasProgram(needs.program)) return;
  await succeed("node_modules/.bin/node", "scripts/deb.ts", "--compression", "gzip", "--output", folder);
  for (const name of programs) await succeed("dpkg-deb", "--extract", `${root(name)}.deb`, root(name));
});
after(() => removeFolder(folder));

test("no file is in both packages, and neither needs a package that only a repository can bring", async (t) => {
  if (!meets(t, needs)) return;
  const lists = await Promise.all(
    programs.map(async (name) => {
      const lines = (await succeed("dpkg-deb", "--contents", `${root(name)}.deb`)).split("\n");
      return lines.filter((line) => !line.startsWith("d")).map((line) => /\.(\/\S*)/.exec(line)?.[1] ?? "");
    }),
  );
  const [client = [], server = []] = lists.map((list) => list.filter((path) => path !== ""));
  assert.ok(client.includes("/usr/bin/homcc") && server.includes("/usr/bin/homccd"));
  assert.deepEqual(
    client.filter((path) => server.includes(path)),
    [],
  );
  for (const name of programs) {
    assert.doesNotMatch(await succeed("dpkg-deb", "--field", `${root(name)}.deb`, "Depends"), /nodejs|homcc/);
    assert.equal(await succeed(join(root(name), "usr/bin", name), "--version"), `${name} 2.0.0\n`);
  }
});

test("Node needs no newer C and C++ libraries than the packages say", async (t) => {
  if (!meets(t, needs, { program: "objdump" })) return;
  const symbols = await succeed("objdump", "--dynamic-syms", join(root("homcc"), "usr/lib/homcc/dist/node"));
  const newest = (name: string): number =>
    Math.max(
      ...[...symbols.matchAll(new RegExp(`\\b${name}_([0-9.]+)`, "g"))].map(([, version = ""]) =>
        order(version),
      ),
    );
  assert.ok(newest("GLIBC") <= order("2.28"));
  assert.ok(newest("GLIBCXX") <= order("3.4.26"), "what libstdc++6 of GCC 9 has");
});

/** 2.28 as 2 028 000. */
function order(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  return major * 1_000_000 + minor * 1000 + patch;
}

test("every maintainer script is one that sh understands", async (t) => {
  if (!meets(t, needs)) return;
  for (const name of programs) {
    await succeed("dpkg-deb", "--control", `${root(name)}.deb`, join(folder, `${name}-control`));
    for (const script of ["preinst", "postinst", "prerm", "postrm"])
      await succeed("dash", "-n", join(folder, `${name}-control`, script));
  }
});

test("the manual pages are free of errors and have every option", async (t) => {
  if (!meets(t, needs, { program: "mandoc" })) return;
  const pages = ["homcc/usr/share/man/man1/homcc.1", "homccd/usr/share/man/man8/homccd.8"];
  for (const page of [...pages, "homcc/usr/share/man/man8/homcc-update-masquerade.8"]) {
    const path = join(folder, `${page}.gz`);
    assert.equal((await run(["mandoc", "-T", "lint", "-W", "warning", path])).stdout, "");
  }
  const text = await succeed("sh", "-c", `mandoc -T utf8 ${join(folder, pages[1] ?? "")}.gz | col -b`);
  for (const flag of ["--jobs", "--max-dependency-cache-size", "--listen"])
    assert.ok(text.includes(flag), flag);
});

test("bash completes flags, their values, homcc's own words and compilers", async (t) => {
  if (!meets(t, needs)) return;
  const path = join(root("homcc"), "usr/share/bash-completion/completions/homcc");
  const complete = async (...words: readonly string[]): Promise<string[]> => {
    const script = `. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _homcc; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return (await succeed("bash", "-c", script, path, ...words)).trim().split("\n");
  };
  assert.deepEqual(await complete("homcc", "--show-h"), ["--show-hosts"]);
  assert.deepEqual(await complete("homcc", "--log-level", "W"), ["WARNING"]);
  assert.ok((await complete("homcc", "--log-level", "INFO", "doc")).includes("doctor"));
  assert.ok((await complete("homcc", "gc")).includes("gcc"));
});

test("zsh and fish can read their completions", async (t) => {
  if (!meets(t, needs, { program: "zsh" }, { program: "fish" })) return;
  for (const name of programs) {
    await succeed("zsh", "-n", join(root(name), `usr/share/zsh/vendor-completions/_${name}`));
    await succeed("fish", "-n", join(root(name), `usr/share/fish/vendor_completions.d/${name}.fish`));
  }
  const fish = `source ${root("homcc")}/usr/share/fish/vendor_completions.d/homcc.fish; complete -C 'homcc --log-level D'`;
  assert.match(await succeed("fish", "-c", fish), /^DEBUG/m);
});

test("the unit is valid, and the drop-in that documents it says the same", async (t) => {
  if (!meets(t, needs)) return;
  const unit = await readFile(join(root("homccd"), "lib/systemd/system/homccd.service"), "utf8");
  const examples = join(root("homccd"), "usr/share/doc/homccd/examples");
  const lines = (await readFile(join(examples, "default.conf"), "utf8")).split("\n");
  const settings = lines.filter((line) => /^[A-Z]/.test(line));
  assert.ok(settings.length > 10);
  for (const setting of settings) assert.ok(unit.includes(`\n${setting}\n`), setting);
  assert.doesNotMatch(unit, /^(?:ProtectKernelTunables|ProtectProc|ProtectHostname)=/m);
  // A directive that is turned on is turned off by the drop-in for schroot, or it would imply NoNewPrivileges.
  const schroot = await readFile(join(examples, "schroot.conf"), "utf8");
  const implying =
    /^(SystemCallFilter|Restrict\w+|PrivateDevices|ProtectKernel\w+|ProtectClock|MemoryDenyWriteExecute|LockPersonality)=/gm;
  for (const [, name] of unit.matchAll(implying)) assert.match(schroot, new RegExp(`^${name}=(?:no)?$`, "m"));
  if (!hasProgram("systemd-analyze")) return;
  await mkdir(join(folder, "units"));
  const program = join(root("homccd"), "usr/bin/homccd");
  await writeFile(join(folder, "units/homccd.service"), unit.replaceAll("/usr/bin/homccd", program));
  const verified = await run(["systemd-analyze", "verify", "--man=no", join(folder, "units/homccd.service")]);
  assert.doesNotMatch(verified.stderr, /homccd\.service/, verified.stderr);
  // Ten times the exposure level, from 0 (none) to 100: 33 as docs/deployment.md says.
  await succeed(
    "systemd-analyze",
    "security",
    "--offline=true",
    "--threshold=35",
    join(folder, "units/homccd.service"),
  );
});

test("homcc-update-masquerade makes and removes links, and leaves what is not its own", async (t) => {
  if (!meets(t, needs)) return;
  const program = join(root("homcc"), "usr/lib/homcc/bin/homcc-update-masquerade");
  const links = join(folder, "links");
  await mkdir(links);
  await writeFile(join(links, "wrapper"), "");
  await symlink(join(root("homcc"), "usr/lib/homcc/bin/homcc"), join(links, "gcc-0.1"));
  await succeed(program, links);
  assert.equal(await readlink(join(links, "gcc")), join(root("homcc"), "usr/lib/homcc/bin/homcc"));
  const names = (await succeed("ls", links)).trim().split("\n");
  assert.ok(names.includes("g++") && names.includes("wrapper") && !names.includes("gcc-0.1"));
  assert.ok(!names.some((name) => /ar$|ranlib$|format|c\+\+filt/.test(name)), names.join(" "));
  await succeed(program, "--remove", links);
  assert.equal(await succeed("ls", links), "wrapper\n");
  await rm(links, { recursive: true });
});
