import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { promisify } from "node:util";
import { hasReleaseTree, makeReleaseTree } from "../test/support/release-tree.ts";
import { hasSandboxTree, makeSandboxTree } from "../test/support/sandbox-tree.ts";
import { underContinuousIntegration } from "./continuous-integration.ts";

const run = promisify(execFile);

interface DebianPackage {
  readonly name: string;
  /** Which tests need it. */
  readonly reason: string;
}

/** Everything the tests use besides what set-up itself needs. */
const packages: readonly DebianPackage[] = [
  { name: "g++", reason: "the compiler that every test compares with" },
  { name: "libc6-dev", reason: "headers of C programs" },
  { name: "clang", reason: "the other compiler: differential suite, toolchains" },
  { name: "clang-19", reason: "#embed, which the default one does not know" },
  { name: "ccache", reason: "CCACHE_PREFIX, in all of ccache's modes" },
  { name: "distcc", reason: "distccmon-text, which shows our jobs; the benchmark" },
  { name: "icecc", reason: "icecream, for the benchmark" },
  { name: "cmake", reason: "compiler launcher, real projects" },
  { name: "meson", reason: "its configure checks" },
  { name: "ninja-build", reason: "the generator behind CMake and Meson" },
  { name: "debhelper", reason: "dpkg-buildpackage" },
  { name: "sudo", reason: "builds as root in a user's environment" },
  { name: "openssh-client", reason: "hosts behind SSH" },
  { name: "openssh-server", reason: "hosts behind SSH: an sshd of the tests' own" },
  { name: "make", reason: "the example project, real projects" },
  { name: "python3-lzo", reason: "the peer of homcc 1.x, and what our own LZO codec is compared with" },
  { name: "xz-utils", reason: "lzma compression of homcc 1.x" },
  { name: "python3", reason: "pseudo-terminals, real projects" },
  { name: "locales", reason: "makes the locale of the German messages" },
  { name: "libc-bin", reason: "locale and localedef" },
  { name: "tzdata", reason: "time zones" },
  { name: "iproute2", reason: "network namespaces of the real projects" },
  { name: "iptables", reason: "lines that lose packets" },
  { name: "faketime", reason: "clocks that are set" },
  { name: "debootstrap", reason: "a fresh Debian for the packages, one of another release" },
  { name: "systemd-container", reason: "the service of the packages, started by systemd" },
  { name: "lintian", reason: "what Debian says against the packages" },
  { name: "mandoc", reason: "the manual pages" },
  { name: "zsh", reason: "its completions" },
  { name: "fish", reason: "its completions" },
  { name: "g++-aarch64-linux-gnu", reason: "cross compilation" },
  { name: "schroot", reason: "sandboxes" },
  { name: "docker.io", reason: "sandboxes" },
  { name: "podman", reason: "sandboxes whose engine is podman" },
  { name: "util-linux", reason: "setpriv, unshare and nsenter: other users, full disks, other roots" },
];

const germanLocale = "de_DE.UTF-8";

/**
 * Installs what is missing, where that is wanted (`CI` or `HOMCC_TEST_INSTALL=1`) and possible (root on Debian).
 * What cannot be installed is told, and its tests are skipped.
 */
export async function installDebianPackages(environment: NodeJS.ProcessEnv): Promise<void> {
  if (!(await mayInstall(environment))) return;
  const names = [...packages.map(({ name }) => name), await messageCatalogue()];
  const missing = await missingPackages(names);
  try {
    if (missing.length > 0) await install(missing);
    await generateLocale();
  } catch (error) {
    console.error(
      `test: some packages could not be installed: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

interface TestTree {
  readonly what: string;
  readonly exists: () => boolean;
  readonly make: () => Promise<void>;
  /** Which tests use it. */
  readonly usedBy: RegExp;
}

const trees: readonly TestTree[] = [
  {
    what: "a small Debian for the sandboxes",
    exists: hasSandboxTree,
    make: makeSandboxTree,
    usedBy: /\/sandboxes\/|\/pairings\/|\/packages-installed/,
  },
  {
    what: "a Debian of another release",
    exists: hasReleaseTree,
    make: makeReleaseTree,
    usedBy: /\/toolchains\//,
  },
];

/** Makes the trees of the tests in `files` under the same conditions; those whose tree is missing are skipped. */
export async function prepareTestTrees(
  files: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  for (const { what, exists: isThere, make, usedBy } of trees) {
    if (!files.some((path) => usedBy.test(path)) || isThere() || !(await mayInstall(environment))) continue;
    console.log(`test: making ${what}, which takes some minutes`);
    await make().catch((error: unknown) => {
      console.error(`test: it could not be made: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
}

async function mayInstall(environment: NodeJS.ProcessEnv): Promise<boolean> {
  const wanted = underContinuousIntegration(environment) || environment["HOMCC_TEST_INSTALL"] === "1";
  return wanted && process.getuid?.() === 0 && (await exists("/etc/debian_version"));
}

/** The translations of the default gcc: `gcc-12-locales` for gcc 12. */
async function messageCatalogue(): Promise<string> {
  const { stdout } = await run("gcc", ["-dumpversion"]).catch(() => ({ stdout: "12" }));
  return `gcc-${stdout.trim().split(".")[0]}-locales`;
}

async function missingPackages(names: readonly string[]): Promise<string[]> {
  const listed = await run("dpkg-query", ["--show", "--showformat=${binary:Package} ${db:Status-Status}\\n"]);
  const installed = new Set(
    listed.stdout
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.replace(/[: ].*/, "")),
  );
  return names.filter((name) => !installed.has(name));
}

async function install(names: readonly string[]): Promise<void> {
  console.log(`test: installing ${names.join(" ")}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const aptGet = (...words: readonly string[]): Promise<unknown> =>
    run("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=300", ...words], {
      env: environment,
      maxBuffer: 2 ** 26,
    });
  await aptGet("update");
  // One by one when they cannot all be had: a missing one must not take the others with it.
  await aptGet("install", "--yes", "--no-install-recommends", ...names).catch(async () => {
    for (const name of names) {
      await aptGet("install", "--yes", "--no-install-recommends", name).catch((error: unknown) => {
        console.error(`test: ${name} cannot be installed: ${String(error).split("\n")[0]}`);
      });
    }
  });
}

async function generateLocale(): Promise<void> {
  const { stdout } = await run("locale", ["-a"]);
  if (/^de_DE\.utf-?8$/im.test(stdout)) return;
  const [name, charset] = germanLocale.split(".");
  await run("localedef", ["-i", name ?? "", "-f", charset ?? "", germanLocale]);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
