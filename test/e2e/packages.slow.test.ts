/** The Debian packages on a fresh Debian: every way to install and remove them, upgrades, the service. packages-installed.test.ts compiles through them. */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { runCommand } from "../support/command.ts";
import { createDebianBase, type DebianBase, type DebianMachine } from "../support/debian-tree.ts";
import { buildPackages, install, withServer } from "../support/installed-packages.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { repository } from "../support/repository.ts";
import { hasProgram, meets } from "../support/requirements.ts";
import { systemPath } from "../support/workplace.ts";

const possible = process.getuid?.() === 0 && hasProgram("debootstrap") && hasProgram("dpkg-deb");
let debian: DebianBase;

before(async () => {
  if (!possible) return;
  debian = await createDebianBase();
  await buildPackages(debian.packages);
});
after(() => debian?.[Symbol.asyncDispose]());

async function machine(t: TestContext): Promise<DebianMachine | undefined> {
  if (!meets(t, "root", { program: "debootstrap" }, { program: "dpkg-deb" })) return undefined;
  return await debian.machine();
}

async function run(argv: readonly string[], cwd = repository): Promise<void> {
  const environment = { PATH: systemPath };
  const result = await runCommand(argv, { cwd, environment, timeoutMs: 600_000 });
  assert.equal(result.status, 0, result.stdout + result.stderr);
}

test("lintian finds no error and gives no warning", async (t) => {
  if (!meets(t, "root", { program: "lintian" }, { program: "debootstrap" }, { program: "dpkg-deb" })) return;
  for (const name of ["homcc", "homccd"]) {
    const argv = ["lintian", "--allow-root", join(debian.packages, `${name}.deb`)];
    const environment = { PATH: systemPath, LC_ALL: "C.UTF-8" };
    const { stdout, stderr } = await runCommand(argv, { cwd: "/", environment, timeoutMs: 600_000 });
    assert.equal(stdout, "", stderr);
  }
});

/** Every file with its kind, mode, owner and target, without what apt, dpkg and the C library keep for themselves. */
const listFiles = `find / -xdev '(' -path /proc -o -path /dev -o -path /scratch -o -path /packages -o -path /tmp -o -path /run ')' \\
  -prune -o -printf '%y %m %u %g %p %l\\n' | grep -vE ' /(var/(cache|lib|log)/(apt|dpkg|ldconfig|man)[/ ]|var/log/(dpkg|alternatives)|var/cache/debconf|etc/(ld.so.cache|.*-) )' | sort
cat /etc/passwd /etc/group`;
const remove = (how: "remove" | "purge", ...names: readonly string[]): string =>
  `apt-get -qq ${how} -y ${names.join(" ")} >/dev/null 2>/tmp/apt || { cat /tmp/apt; exit 1; }`;

const orders: readonly (readonly string[])[] = [
  ["homcc"],
  ["homccd"],
  ["homcc", "homccd"],
  ["homccd", "homcc"],
];
for (const order of orders) {
  test(`${order.join(", then ")}: installed, run, purged, and nothing is left`, async (t) => {
    const debianMachine = await machine(t);
    if (debianMachine === undefined) return;
    const first =
      await debianMachine.run(`${listFiles}; echo ====; ${order.map((name) => install(name)).join("\n")}
      ${order.map((name) => `${name} --version; ${name} --help >/dev/null`).join("\n")}
      ${remove("remove", ...order)}
      echo ====; ls /etc/homcc; echo ====
      ${remove("purge", ...order)}
      ${listFiles}`);
    const [before, versions, kept, afterwards] = first.split("====\n");
    assert.equal(versions?.trim(), order.map((name) => `${name} 2.0.0`).join("\n"));
    const own = [
      ...(order.includes("homcc") ? ["hosts"] : []),
      ...(order.includes("homccd") ? ["identity"] : []),
    ];
    assert.equal(kept, ["homcc.conf", ...own, ""].join("\n"));
    assert.equal(afterwards, before);
  });
}

test("an upgrade while files are compiled: every object is right, and the new agent serves the next call", async (t) => {
  const debianMachine = await machine(t);
  if (debianMachine === undefined) return;
  await makeNextVersion();
  const printed = await debianMachine.run(`${install("homcc", "homccd")}
    ${withServer(`unset HOMCC_NO_LOCAL_COMPILATION
      g++ -O2 -c a.cpp -o plain.o
      homcc g++ -O2 -c a.cpp -o first.o; homcc status | sed -n '1s/.*process //p'
      ( while [ ! -e stop ]; do homcc g++ -O2 -c a.cpp -o next.o || echo a compile failed; cmp next.o plain.o; echo x >>count; done ) &
      loop=$!
      until [ -s count ]; do :; done
      ${install("next/homcc", "next/homccd")}
      count=$(wc -l <count); until [ $(wc -l <count) -gt $((count + 1)) ]; do :; done
      touch stop; wait $loop
      homcc g++ -O2 -c a.cpp -o last.o; homcc status | sed -n '1s/.*process //p'
      dpkg-query -W homcc homccd`)}`);
  const [one, other, ...rest] = printed.trim().split("\n");
  assert.match(`${one} ${other}`, /^\d+ \d+$/, printed);
  assert.notEqual(one, other, "the agent of the old version still serves");
  assert.deepEqual(rest, ["homcc\t2.0.1", "homccd\t2.0.1"]);
});

/** The same packages with a later version, and another agent. */
async function makeNextVersion(): Promise<void> {
  await mkdir(join(debian.packages, "next"));
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-next-"));
  for (const name of ["homcc", "homccd"]) {
    const root = join(folder, name);
    await run(["dpkg-deb", "--raw-extract", join(debian.packages, `${name}.deb`), root]);
    await run(["sed", "-i", "s/^Version: .*/Version: 2.0.1/", join(root, "DEBIAN/control")]);
    const build = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build"];
    await run([...build, root, join(debian.packages, "next", `${name}.deb`)]);
  }
  await removeFolder(folder);
}

const administratorsHosts = "buildserver/12,lzo\n";
for (const [title, conffiles, owned] of [
  ["as a conffile", "/etc/homcc/hosts\n/etc/homcc/homcc.conf\n", true],
  ["as a plain file", "", true],
  ["not at all", "", false],
] as const) {
  test(`an upgrade from 1.x, which has /etc/homcc ${title}, keeps it and asks nothing`, async (t) => {
    const debianMachine = await machine(t);
    if (debianMachine === undefined) return;
    await makeFirstVersion("homcc", conffiles, owned);
    const edited = administratorsHosts.trim();
    const printed = await debianMachine.run(`${install("old/homcc")}
      mkdir -p /etc/homcc; echo '${edited}' >/etc/homcc/hosts; echo '[homcc]' >/etc/homcc/homcc.conf
      ${install("homcc")}; ${install("homccd")}
      cat /etc/homcc/hosts /etc/homcc/homcc.conf; ls /etc/homcc
      dpkg-query --showformat='\${Conffiles}\\n' --show homcc | grep -o '/etc/homcc/hosts'
      homcc --version
      ${install("homcc")}; cat /etc/homcc/hosts
      ${remove("purge", "homcc", "homccd")}; test ! -e /etc/homcc`);
    assert.equal(
      printed,
      `${administratorsHosts}[homcc]\nhomcc.conf\nhosts\nidentity\n/etc/homcc/hosts\nhomcc 2.0.0\n${administratorsHosts}`,
    );
  });
}

for (const order of [orders[2], orders[3]] as const) {
  test(`1.x, of which both packages have files in common: ${order?.join(" is replaced first, then ")}`, async (t) => {
    const debianMachine = await machine(t);
    if (debianMachine === undefined) return;
    const [first = "", second = ""] = order ?? [];
    for (const name of order ?? []) await makeFirstVersion(name, "", false);
    const shared = "/usr/lib/python3/dist-packages/homcc/common/host.py";
    await debianMachine.run(`cd /packages/old; dpkg -i ./${second}.deb >/dev/null
      dpkg -i --force-overwrite ./${first}.deb >/dev/null 2>&1; test -e ${shared}
      ${install(first)}; test -e ${shared}; test ! -e /var/lib/homcc-1-shared.tar
      ${install(second)}; test ! -e /usr/lib/python3/dist-packages/homcc; homcc --version; homccd --version`);
  });
}

/** A package as homcc 1.x has it: Python's files, and perhaps /etc/homcc. */
async function makeFirstVersion(name: string, conffiles: string, owned: boolean): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-old-"));
  const files: Record<string, string> = {
    "DEBIAN/control": `Package: ${name}\nVersion: 1.0.3-1\nArchitecture: all\nMaintainer: nobody <nobody@homcc.invalid>\nDescription: old\n`,
    [`usr/bin/${name}`]: "#!/usr/bin/python3\n",
    "usr/lib/python3/dist-packages/homcc/common/host.py": "",
  };
  if (conffiles !== "") files["DEBIAN/conffiles"] = conffiles;
  if (owned) Object.assign(files, { "etc/homcc/hosts": "localhost\n", "etc/homcc/homcc.conf": "" });
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), text, { mode: path.includes("bin/") ? 0o755 : 0o644 });
  }
  await mkdir(join(debian.packages, "old"), { recursive: true });
  const output = join(debian.packages, "old", `${name}.deb`);
  await run(["dpkg-deb", "--root-owner-group", "--build", folder, output]);
  await removeFolder(folder);
}

test("a compiler that is installed or removed later gets and loses its masquerade link", async (t) => {
  const debianMachine = await machine(t);
  if (debianMachine === undefined) return;
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-compiler-"));
  await mkdir(join(folder, "DEBIAN"));
  await writeFile(
    join(folder, "DEBIAN/control"),
    "Package: some-gcc\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@homcc.invalid>\nDescription: compiler\n",
  );
  await mkdir(join(folder, "usr/bin"), { recursive: true });
  await cp("/bin/true", join(folder, "usr/bin/riscv64-linux-gnu-gcc-99"));
  await run(["dpkg-deb", "--root-owner-group", "--build", folder, join(debian.packages, "some-gcc.deb")]);
  await removeFolder(folder);
  const link = "/usr/lib/homcc/masquerade/riscv64-linux-gnu-gcc-99";
  await debianMachine.run(`${install("homcc")}; test ! -e ${link}
    ${install("some-gcc")}; test $(readlink -f ${link}) = /usr/lib/homcc/bin/homcc
    ${remove("remove", "some-gcc")}; test ! -L ${link}; test -L /usr/lib/homcc/masquerade/g++`);
});

test("the service starts with systemd, with the sandbox that it needs, and its drop-ins do what they say", async (t) => {
  if (!meets(t, { program: "systemd-nspawn" })) return;
  const debianMachine = await machine(t);
  if (debianMachine === undefined) return;
  await debianMachine.run(`${install("homcc", "homccd")}; groupadd --force docker`);
  const status = "/proc/$(systemctl show -p MainPID --value homccd)";
  const restart =
    "systemctl daemon-reload; systemctl restart homccd; until homcc --verbose g++ -c a.cpp -o a.o; do :; done";
  const drops = "/etc/systemd/system/homccd.service.d";
  const use = (name: string): string =>
    `rm -rf ${drops}; mkdir ${drops}; cp /usr/share/doc/homccd/examples/${name}.conf ${drops}; ${restart}`;
  const printed = await debianMachine.boot(`
    mount -t tmpfs tmpfs /var/cache
    cd /scratch; echo 'int f() { return 1; }' >a.cpp; g++ -c a.cpp -o plain.o
    export HOME=/root HOMCC_HOSTS=127.0.0.1/4 HOMCC_DIR=/scratch/homcc HOMCC_NO_LOCAL_COMPILATION=1
    ${restart}; cmp a.o plain.o; homcc doctor
    stat -c %U ${status}; grep NoNewPrivs ${status}/status
    ${use("default")}; grep NoNewPrivs ${status}/status
    ${use("docker")}; grep NoNewPrivs ${status}/status; touch /tmp/shared; ls ${status}/root/tmp/shared; id -G homcc
    ${use("schroot")}; grep NoNewPrivs ${status}/status; readlink ${status}/ns/mnt /proc/1/ns/mnt | uniq | wc -l
    kill -KILL $(systemctl show -p MainPID --value homccd); until homcc g++ -c a.cpp -o again.o; do :; done; cmp again.o plain.o`);
  assert.match(printed, /executor namespace: jobs see this machine's paths/);
  assert.match(printed, /^homcc\nNoNewPrivs:\t1\n/m);
  assert.deepEqual(printed.match(/(?<=NoNewPrivs:\t)\d/g), ["1", "1", "1", "0"]);
  assert.match(printed, /\/root\/tmp\/shared\n/);
  assert.match(printed, /NoNewPrivs:\t0\n(?:.*\n)*?1\n/);
});
