/** `npm run release`: everything is there, the checksums hold, and the npm packages and the archive compile. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeRelease } from "../../packaging/release/make-release.ts";
import { readBuildFacts } from "../../packaging/build-facts.ts";
import { runCommand } from "../support/command.ts";
import { endProcesses, processesMentioning } from "../support/processes.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { hasProgram, meets } from "../support/requirements.ts";
import { systemPath } from "../support/workplace.ts";

const needs = { program: "dpkg-deb" } as const;
let folder: string;
let released: string;

/** npm needs of the environment what this machine's network needs: certificates, proxies. */
const surroundings = Object.fromEntries(
  Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(?:_?HOMCC|NODE_TEST|npm_)/.test(entry[0]),
  ),
);

async function succeed(script: string): Promise<string> {
  const environment = { ...surroundings, PATH: systemPath };
  const argv = ["sh", "-ec", script];
  const { status, stdout, stderr } = await runCommand(argv, { cwd: folder, environment, timeoutMs: 600_000 });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "homcc-test-release-"));
  await chmod(folder, 0o755);
  released = join(folder, "released");
  if (hasProgram(needs.program)) await makeRelease(await readBuildFacts(process.env), released);
});
after(async () => {
  await endProcesses(processesMentioning(folder));
  await removeFolder(folder);
});

test("the checksums hold, and the bill of materials names what is in the programs", async (t) => {
  if (!meets(t, needs)) return;
  assert.match(await succeed("cd released; sha256sum --check --strict SHA256SUMS; ls"), /^homccd\.deb: OK$/m);
  const bill: { components: { name: string; scope: string; hashes?: unknown }[] } = JSON.parse(
    await readFile(join(released, "sbom.cdx.json"), "utf8"),
  );
  const shipped = bill.components.filter(({ scope }) => scope === "required").map(({ name }) => name);
  assert.deepEqual(shipped.sort(), ["glibc", `node-linux-${process.arch}`]);
  assert.match(await readFile(join(released, "THIRD-PARTY-LICENSES.txt"), "utf8"), /OpenSSL/);
});

/** A homccd and a homcc that are started as `programs` says, from another folder, as an ordinary user where we are root. */
async function expectCompile(name: string, programs: { homcc: string; homccd: string }): Promise<void> {
  const place = join(folder, name);
  await mkdir(place);
  await chmod(place, 0o777);
  await writeFile(
    join(place, "a.cpp"),
    "#include <vector>\nint f() { return std::vector<int>(3).size(); }\n",
  );
  const user = process.getuid?.() === 0 ? "setpriv --reuid=12345 --regid=12345 --clear-groups" : "";
  const printed = await succeed(`cd ${place}; export HOME=${place} HOMCC_DIR=${place}/homcc
    ${user} ${programs.homccd} --listen 127.0.0.1 --port 0 >log 2>&1 & server=$!
    trap 'kill $server' EXIT
    until grep -q listening log; do kill -0 $server || { cat log; exit 1; }; done
    export HOMCC_NO_LOCAL_COMPILATION=1 HOMCC_HOSTS=127.0.0.1:$(sed -n 's/.*listening on .* port \\([0-9]*\\),.*/\\1/p' log)/2
    ${user} ${programs.homcc} --verbose g++ -O2 -c a.cpp -o far.o 2>&1
    g++ -O2 -c a.cpp -o plain.o; cmp far.o plain.o
    ${user} ${programs.homcc} status`);
  assert.match(printed, /Compiled remotely/);
  assert.match(printed, /Agent +homcc 2\.0\.0/);
}

test("npm packages: installed for all with install scripts blocked, used by a user who may not write there", async (t) => {
  if (!meets(t, needs, { program: "npm" })) return;
  const files = (await succeed("ls -d released/*.tgz")).trim().split("\n").join(" ./");
  await succeed(
    `npm install --silent --global --ignore-scripts --no-audit --no-fund --prefix npm ./${files}; chmod -R go-w npm`,
  );
  assert.equal(await succeed("head -c 4 npm/bin/homcc | tail -c 3"), "ELF");
  await expectCompile("npm-place", {
    homcc: join(folder, "npm/bin/homcc"),
    homccd: join(folder, "npm/bin/homccd"),
  });
});

test("the archive: unpacked into a folder with a blank in its name, and moved", async (t) => {
  if (!meets(t, needs)) return;
  await succeed(
    "mkdir first 'second place'; tar -xJf released/homcc-*.tar.xz -C first; mv first/homcc-* 'second place/homcc'",
  );
  const bin = join(folder, "second place/homcc/bin");
  await expectCompile("archive-place", { homcc: `'${bin}/homcc'`, homccd: `'${bin}/homccd'` });
  const links = "'second place/homcc/masquerade'";
  assert.match(
    await succeed(`'second place/homcc/bin/homcc-update-masquerade'; readlink ${links}/gcc`),
    /second place\/homcc\/bin\/homcc\n$/,
  );
});
