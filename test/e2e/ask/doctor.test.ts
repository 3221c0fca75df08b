/** `homcc doctor` on set-ups in which one thing is wrong: it names the cause and the cure, and where it stops. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { encodeRefusal } from "@homcc/protocol/hello";
import { homccProgram } from "../../support/repository.ts";
import { meets, type Requirement } from "../../support/requirements.ts";
import { type Server, type ServerOptions, startServer } from "../../support/server.ts";
import { startStrangeServer, unusedPort } from "../../support/strange-server.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

interface SetUp {
  /** HOMCC_HOSTS; none without it. */
  readonly hosts?: string;
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** Words before homcc. */
  readonly prefix?: readonly string[];
}

interface Misconfiguration {
  readonly needs?: readonly Requirement[];
  readonly cause: RegExp;
  readonly cure: RegExp;
  /** Where it stops, if it does. */
  readonly stops?: RegExp;
  /** How many problems it is; 1 without it. */
  readonly problems?: number;
  readonly prepare: (workplace: Workplace, stack: AsyncDisposableStack) => SetUp | Promise<SetUp>;
}

const atConnection = /stopped {2}at the connection; not looked at: version, .*test compiles/;
const atConfiguration = /stopped {2}at the configuration; not looked at: name, /;

const cases: Readonly<Record<string, Misconfiguration>> = {
  "a wrong port": {
    cause: /nobody listens at 127\.0\.0\.1 port \d+ \(IPv4\): connection refused/,
    cure: /is homccd running there\? is the port right at HOMCC_HOSTS:1:1\? \(homccd's own is 3126\)/,
    stops: atConnection,
    prepare: async () => ({ hosts: `127.0.0.1:${await unusedPort()}/4` }),
  },
  "packets that are dropped": {
    needs: [{ program: "ip" }, "root"],
    cause: /10\.99\.0\.2 port 3126 did not answer within 1 s: packets are dropped on the way/,
    cure: /is the VPN up, the machine on\? does every firewall in between let TCP port 3126 through\?/,
    stops: atConnection,
    prepare: () => ({
      hosts: "10.99.0.2/4",
      variables: { HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "1" },
      // The other end of the line drops what is not for its own hardware address.
      prefix: inNetwork(
        [
          "ip link add here type veth peer name there",
          "ip address add 10.99.0.1/24 dev here",
          "ip link set here up",
          "ip link set there up",
          "ip neighbour add 10.99.0.2 lladdr 02:00:00:00:00:02 dev here nud permanent",
        ].join("; "),
      ),
    }),
  },
  "a network without a way to the server": {
    needs: [{ program: "ip" }, "root"],
    cause: /there is no way to fd00::7 port 3126 \(E(NETUNREACH|ADDRNOTAVAIL)\)/,
    cure: /this machine has no IPv6 connection to it: name its IPv4 address/,
    stops: atConnection,
    prepare: () => ({ hosts: "[fd00::7]/4", prefix: inNetwork("ip link set lo up") }),
  },
  "a name that does not exist": {
    cause:
      /there is no host named no-such-host\.invalid|no-such-host\.invalid could not be resolved: EAI_AGAIN/,
    cure: /check the spelling at HOMCC_HOSTS:1:1; a name of a VPN is known while the VPN is up/,
    stops: /stopped {2}at the name; not looked at: connection, /,
    prepare: () => ({ hosts: "no-such-host.invalid/4" }),
  },
  "an HTTP server at the port": {
    cause: /an HTTP server listens at 127\.0\.0\.1 port \d+, and no homccd/,
    cure: /correct the port at HOMCC_HOSTS:1:1; homccd's own is 3126/,
    stops: atConnection,
    prepare: async (_, stack) => ({
      hosts: `${stack.use(await startStrangeServer("speaks HTTP")).address}/4`,
    }),
  },
  "a program at the port that does not answer": {
    cause: /something listens at 127\.0\.0\.1 port \d+, and did not answer our hello within 1 s/,
    cure: /what listens there is no homccd, or one that is stopped; is the port right/,
    stops: atConnection,
    prepare: async (_, stack) => ({
      hosts: `${stack.use(await startStrangeServer("never answers")).address}/4`,
      variables: { HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "1" },
    }),
  },
  "a server of homcc 1.x": {
    cause: /is no homcc 2 server: a homcc 1\.x server refuses: no profiles/,
    cure: /install homccd 2 on that machine/,
    stops: atConnection,
    prepare: async (_, stack) => ({ hosts: await refusing({ info: "no profiles" }, stack) }),
  },
  "a server of another protocol version": {
    cause: /\(homccd 9\.0\.0\) speaks protocol version 9, this client 2/,
    cure: /install the same major version of homcc on both machines/,
    stops: atConnection,
    prepare: async (_, stack) => ({
      hosts: await refusing({ info: "too old", server: "homccd 9.0.0", versions: [9] }, stack),
    }),
  },
  "an address that is not allowed": {
    cause:
      /refuses: the address 127\.0\.0\.1 is not allowed without a pairing \(run homccd pair --name NAME on the server.*option 'allow' of homccd\)/,
    cure: /add that address to the option `allow` of homccd there/,
    stops: atConnection,
    prepare: (_, stack) => served(stack, { options: ["--allow", "10.0.0.0/8"] }),
  },
  "a server that listens on IPv6 only": {
    cause: /nobody listens at 127\.0\.0\.1 port \d+ \(IPv4\): connection refused/,
    cure: /A homccd that listens on IPv6 only is reached by a line like \[fd00::1\]:3126\/12/,
    stops: atConnection,
    prepare: (_, stack) => served(stack, { options: ["--listen", "::1"] }),
  },
  "a server that listens on IPv4 only": {
    cause: /nobody listens at ::1 port \d+ \(IPv6\): connection refused/,
    cure: /A homccd listens on IPv4 only unless it was started with --listen ::, so name its IPv4 address/,
    stops: atConnection,
    prepare: () => ({ hosts: `[::1]:${ordinary.port}/4` }),
  },
  "no compiler there": {
    needs: ["root"],
    cause:
      /test compile with gcc: the server has another toolchain \(outcome 40\).*no \S+gcc\S*:.*there none/,
    cure: /the server has no such compiler: install it there\. Install the same version/,
    prepare: (_, stack) =>
      served(stack, { prefix: withDriver("mount --bind /dev/null $driver"), options: ownOnly }),
  },
  "another compiler there": {
    needs: ["root"],
    cause:
      /the server has another toolchain \(outcome 40\).*another toolchain as \S+; here .*gcc.* \([0-9a-f]{12}\), there .*gcc.* \([0-9a-f]{12}\)/,
    cure: /Install the same version of the compiler, .* from the same distribution/,
    prepare: (workplace, stack) => {
      const copy = join(workplace.folder, "other-gcc");
      const swap = `cp $driver ${copy} && echo >>${copy} && mount --bind ${copy} $driver`;
      return served(stack, { prefix: withDriver(swap), options: ownOnly });
    },
  },
  "a full disk there": {
    needs: ["root"],
    // The disk, and the job that does not fit.
    problems: 2,
    cause: /the server's disk is full: \d.* MiB of 24\.0 MiB are free on the disk of its store/,
    cure: /make room there, choose another disk with homccd's --store, or lower max_dependency_cache_size/,
    prepare: async (workplace, stack) => {
      const store = join(workplace.folder, "store");
      await mkdir(store);
      return await served(stack, {
        storeFolder: store,
        prefix: inMounts(`mount -t tmpfs -o size=24m,mode=755 none ${store}`),
      });
    },
  },
  "no namespaces there": {
    needs: ["root"],
    cause: /executor mapped, because namespaces do not work there, .*unshare/,
    cure: /on the server: sysctl -w user\.max_user_namespaces=15000/,
    prepare: (_, stack) =>
      served(stack, {
        prefix: [
          "unshare",
          "--user",
          "--map-user=1000",
          "--map-group=1000",
          "--keep-caps",
          "/bin/sh",
          "-ec",
          'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"',
          "sh",
        ],
      }),
  },
  "a clock that is off by a year": {
    cause:
      /the server's clock is 365 d ahead of this machine's; __DATE__ and __TIME__ in objects come from it/,
    cure: /set the clock that is wrong, with timedatectl set-ntp true/,
    prepare: (_, stack) => {
      const ahead = "const now = Date.now; Date.now = () => now() + 365 * 86_400_000;";
      const preload = `--import=data:text/javascript,${encodeURIComponent(ahead)}`;
      return served(stack, { prefix: ["env", `NODE_OPTIONS=${preload}`] });
    },
  },
  "a limit of 0": {
    problems: 2,
    cause: /HOMCC_HOSTS:1:1: 127\.0\.0\.1:\d+\/0 has the limit 0, so it is never used/,
    cure: /write the number of jobs that may run there at once, or take the line out/,
    prepare: (_, stack) => served(stack, undefined, 0),
  },
  "a limit above the server's slots": {
    cause: /the limit 40 of 127\.0\.0\.1:\d+\/40 is above the 4 slots of the server/,
    cure: /write \/4 at HOMCC_HOSTS:1:1, or give homccd more slots with --jobs/,
    prepare: (_, stack) => served(stack, undefined, 40),
  },
  "a bad line in the hosts file": {
    problems: 2,
    cause: /\/homcc\/hosts:2:13: 'buildserver:99999': '99999' is no port/,
    cure: /a port from 1 to 65535/,
    stops: atConfiguration,
    prepare: async ({ homccFolder }) => {
      await writeFile(join(homccFolder, "hosts"), "# ours\nbuildserver:99999\n");
      return {};
    },
  },
  "a bad value in homcc.conf": {
    cause: /\/homcc\/homcc\.conf:2: establish_connection_timeout: 'ten' is not allowed/,
    cure: /seconds above 0/,
    prepare: async ({ homccFolder }, stack) => {
      await writeFile(join(homccFolder, "homcc.conf"), "[homcc]\nestablish_connection_timeout = ten\n");
      return await served(stack);
    },
  },
  "two sandboxes at once": {
    problems: 2,
    cause: /Can not specify a schroot profile and a docker container.*Every compile ends with exit status 64/,
    cure: /set one of schroot_profile and docker_container at most; --no-sandbox ignores both/,
    stops: atConfiguration,
    prepare: () => ({
      hosts: "127.0.0.1:1/4",
      variables: { HOMCC_SCHROOT_PROFILE: "jammy", HOMCC_DOCKER_CONTAINER: "box" },
    }),
  },
  "no hosts and no local compilation": {
    cause: /No hosts are configured: no_local_compilation is set, so every compile ends with exit status 66/,
    cure: /set HOMCC_HOSTS or write ~\/\.homcc\/hosts, one line for each server: buildserver\/12/,
    stops: atConfiguration,
    prepare: () => ({ variables: { HOMCC_NO_LOCAL_COMPILATION: "1" } }),
  },
  "an agent's folder that is a link": {
    cause: /homcc\/run: it is a symbolic link, which somebody else may have made, and no private folder/,
    cure: /make that folder your own, or set HOMCC_DIR to a folder in which you may write/,
    prepare: async (workplace, stack) => {
      await mkdir(join(workplace.folder, "elsewhere"));
      await symlink(join(workplace.folder, "elsewhere"), join(workplace.homccFolder, "run"));
      return await served(stack);
    },
  },
  "an agent's folder that cannot be made": {
    cause: /project\/file\/run: the folder cannot be made; without it no agent can be started/,
    cure: /make that folder your own, or set HOMCC_DIR to a folder in which you may write/,
    prepare: async ({ project }, stack) => {
      await writeFile(join(project, "file"), "");
      return { ...(await served(stack)), variables: { HOMCC_DIR: join(project, "file") } };
    },
  },
  "no agent wanted": {
    cause: /HOMCC_NO_AGENT is set: every compile does the agent's work from the beginning/,
    cure: /unset HOMCC_NO_AGENT/,
    prepare: async (_, stack) => ({ ...(await served(stack)), variables: { HOMCC_NO_AGENT: "1" } }),
  },
  "a PATH without compilers": {
    cause: /PATH has no gcc and no clang/,
    cure: /install a compiler, or add its folder to PATH/,
    prepare: async (_, stack) => ({ ...(await served(stack)), variables: { PATH: "/nonexistent" } }),
  },
};

/** So that another compiler is a problem. */
const ownOnly = ["--toolchains", "own"];

/** Starting one, and its first copy of a toolchain, take longer than all else. */
let ordinary: Server;
before(async () => {
  ordinary = await startServer();
});
after(() => ordinary?.stop());

for (const [name, { needs = [], cause, cure, stops, problems = 1, prepare }] of Object.entries(cases)) {
  test(name, async (t) => {
    if (!meets(t, ...needs)) return;
    await using stack = new AsyncDisposableStack();
    await using workplace = await createWorkplace({ forbidLocal: false });
    const { status, stdout, stderr } = await diagnose(workplace, await prepare(workplace, stack));
    assert.equal(stderr, "");
    assert.match(stdout, cause);
    const cures = stdout.split("\n").filter((line) => line.includes("what to do: "));
    assert.ok(
      cures.some((line) => cure.test(line)),
      stdout,
    );
    assert.equal(cures.length, problems, stdout);
    if (stops === undefined) assert.doesNotMatch(stdout, /^ {2}stopped/m);
    else assert.match(stdout, stops);
    assert.match(stdout, problems === 1 ? /^1 problem\.$/m : new RegExp(`^${problems} problems\\.$`, "m"));
    assert.equal(status, 1);
  });
}

test("a set-up in which all is well", async () => {
  await using stack = new AsyncDisposableStack();
  await using workplace = await createWorkplace({ forbidLocal: false });
  const { status, stdout, stderr } = await diagnose(workplace, await served(stack));
  assert.deepEqual([status, stderr], [0, ""], stdout);
  for (const expected of [
    /none runs, the next compile starts it; its log is \S+\/run\/agent\.log/,
    /gcc is \S+\/gcc: .*, toolchain [0-9a-f]{12}/,
    /homccd \S+ answers at 127\.0\.0\.1 port \d+, round trip \d/,
    /executor (namespace|mapped)/,
    /4 slots there, limit 4 here/,
    /its clock differs by 0\.\d s/,
    /are free on the disk of its store/,
    /test compile with gcc: the local compiler's object, \d+ ms/,
    /^All is well\.$/m,
  ]) {
    assert.match(stdout, expected);
  }
});

test("a server that lacks the compiler and takes it", async (t) => {
  if (!meets(t, "root")) return;
  await using stack = new AsyncDisposableStack();
  await using workplace = await createWorkplace({ forbidLocal: false });
  const lacking = { prefix: withDriver("mount --bind /dev/null $driver") };
  const { status, stdout } = await diagnose(workplace, await served(stack, lacking));
  assert.match(
    stdout,
    /gcc: the server does not have the toolchain yet, and takes this machine's: the first job sends it/,
  );
  assert.match(stdout, /^All is well\.$/m);
  assert.equal(status, 0, stdout);
});

test("servers that are named, configured or not", async () => {
  await using stack = new AsyncDisposableStack();
  await using workplace = await createWorkplace({ forbidLocal: false });
  const port = await unusedPort();
  const { hosts = "" } = await served(stack);
  const setUp = { hosts: `127.0.0.1:${port}/4` };
  const other = await diagnose(workplace, setUp, [hosts]);
  assert.match(other.stdout, new RegExp(`Server ${hosts.replace("/4", "")} \\(the command line:1:1\\)`));
  assert.doesNotMatch(other.stdout, new RegExp(`Server 127\\.0\\.0\\.1:${port} `));
  assert.equal(other.status, 0, other.stdout);
  const bad = await diagnose(workplace, setUp, ["a b:c"]);
  assert.match(bad.stdout, /the command line:1:\d+: .*'c' is no port/);
  assert.equal(bad.status, 1);
});

async function diagnose(workplace: Workplace, setUp: SetUp, args: readonly string[] = []) {
  const compilers = await linkCompiler(workplace);
  const { hosts, variables = {}, prefix = [] } = setUp;
  const environment = workplace.environment({ PATH: compilers, HOMCC_HOSTS: hosts, ...variables });
  return await workplace.run([...prefix, homccProgram, "doctor", ...args], {
    environment,
    timeoutMs: 120_000,
  });
}

/** One compiler instead of four makes these tests four times as fast. */
async function linkCompiler({ folder }: Workplace): Promise<string> {
  const links = join(folder, "compilers");
  if (existsSync(links)) return links;
  await mkdir(links);
  for (const name of ["gcc", "as", "ld"]) await symlink(`/usr/bin/${name}`, join(links, name));
  return links;
}

/** The host line of a real homccd with 4 slots; without options it is one that the tests share. */
async function served(stack: AsyncDisposableStack, options?: ServerOptions, limit = 4): Promise<SetUp> {
  const server = options === undefined ? ordinary : stack.use(await startServer(options));
  return { hosts: `${server.address}/${limit}` };
}

/** A server that refuses whoever comes. */
async function refusing(
  refusal: Parameters<typeof encodeRefusal>[0],
  stack: AsyncDisposableStack,
): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.resume();
    socket.end(encodeRefusal(refusal));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return `127.0.0.1:${address.port}/4`;
}

/** Runs what follows in a network of its own, which `setUp` arranges. */
function inNetwork(setUp: string): string[] {
  const script = `(PATH=/usr/sbin:/sbin:/usr/bin:/bin; ${setUp}); exec "$@"`;
  return ["/usr/bin/unshare", "--net", "/bin/sh", "-ec", script, "sh"];
}

/** Runs what follows with mounts of its own. */
function inMounts(setUp: string): string[] {
  return ["unshare", "--mount", "/bin/sh", "-ec", `${setUp}; exec "$@"`, "sh"];
}

/** With mounts of its own in which something was done to gcc's program, `$driver`. */
function withDriver(setUp: string): string[] {
  return inMounts(`driver=$(readlink -f /usr/bin/gcc); ${setUp}`);
}
