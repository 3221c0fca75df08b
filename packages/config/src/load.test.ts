import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type LoadedSettings, loadServerSettings, loadSettings } from "./load.ts";
import { describeProblem } from "./problem.ts";

/** A home, a HOMCC_DIR and a system folder of their own; removed afterwards. */
async function inFolders(run: (folders: Folders) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "homcc-load-"));
  const folders = new Folders(root);
  try {
    await run(folders);
  } finally {
    await rm(root, { recursive: true });
  }
}

class Folders {
  readonly root: string;
  readonly home: string;
  readonly systemFolder: string;

  constructor(root: string) {
    this.root = root;
    this.home = join(root, "home");
    this.systemFolder = join(root, "etc");
  }

  async write(path: string, text: string): Promise<string> {
    const file = join(this.root, path);
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, text);
    return file;
  }

  async load(
    environment: Readonly<Record<string, string>> = {},
    commandLine: Readonly<Record<string, string>> = {},
  ): Promise<LoadedSettings> {
    const { systemFolder, home: HOME } = this;
    return loadSettings({
      environment: { HOME, ...environment },
      commandLine,
      cwd: this.root,
      systemFolder,
    });
  }
}

function descriptions({ problems }: Pick<LoadedSettings, "problems">): string[] {
  return problems.map(describeProblem);
}

test("defaults", async () => {
  await inFolders(async (folders) => {
    const loaded = await folders.load();
    const { environment } = loaded.settings.ssh;
    const tls = { certificate: undefined, key: undefined, authorities: undefined };
    assert.deepEqual(Object.keys(environment), ["HOME"]);
    assert.deepEqual(loaded.settings, {
      compression: undefined,
      sandbox: { kind: "none" },
      ssh: { executable: "ssh", options: [], controlPersistMs: 600_000, environment },
      tls: {
        ...tls,
        folders: [join(folders.home, ".homcc"), join(folders.home, ".config/homcc"), folders.systemFolder],
      },
      compilationRequestTimeoutMs: 240_000,
      establishConnectionTimeoutMs: 10_000,
      remoteCompilationTries: 3,
      logLevel: "WARNING",
      verbose: false,
      noLocalCompilation: false,
      uplinkBytesPerSecond: undefined,
      agentIdleTimeoutMs: 3_600_000,
      agentLogLevel: "INFO",
      stateFiles: true,
      clientCacheBytes: 2 ** 30,
      auditRate: 0.005,
      debugFolder: undefined,
    });
    assert.deepEqual(loaded.localhost, { limit: availableParallelism(), configured: false });
    assert.deepEqual([loaded.hosts, loaded.problems, loaded.fatal], [[], [], undefined]);
    assert.match(loaded.noHosts?.hint ?? "", /HOMCC_HOSTS.*~\/\.homcc\/hosts/);
  });
});

test("command line beats environment beats file, and files merge key by key in the order of their folders", async () => {
  await inFolders(async (folders) => {
    await folders.write(
      "etc/homcc.conf",
      "[homcc]\ncompression=lzma\nremote_compilation_tries=9\nverbose=true\n",
    );
    await folders.write("home/.config/homcc/homcc.conf", "[homcc]\nremote_compilation_tries=8\n");
    await folders.write("home/.homcc/homcc.conf", "[homcc]\nremote_compilation_tries=7\nlog_level=error\n");
    await folders.write("own/homcc.conf", "[homcc]\nremote_compilation_tries=6\n[homccd]\nlimit = 1\n");
    const tries = async (
      environment: Readonly<Record<string, string>>,
      commandLine: Readonly<Record<string, string>> = {},
    ): Promise<number> => (await folders.load(environment, commandLine)).settings.remoteCompilationTries;
    assert.equal(await tries({}), 7);
    assert.equal(await tries({ HOMCC_DIR: join(folders.root, "own") }), 6);
    assert.equal(await tries({ HOMCC_DIR: "own" }), 6);
    assert.equal(await tries({ HOMCC_REMOTE_COMPILATION_TRIES: "5" }), 5);
    assert.equal(await tries({ HOMCC_REMOTE_COMPILATION_TRIES: "" }), 7);
    assert.equal(await tries({ HOMCC_REMOTE_COMPILATION_TRIES: "5" }, { remote_compilation_tries: "4" }), 4);
    assert.equal(
      await tries({ HOMCC_REMOTE_COMPILATION_TRIES: "5" }, { "remote-compilation-tries": "4" }),
      4,
    );
    assert.equal(await tries({ HOMCC_REMOTE_COMPILATION_TRIES: "5" }, { no_config: "1" }), 5);
    assert.equal(await tries({}, { no_config: "1" }), 3);
    const { settings } = await folders.load();
    assert.deepEqual([settings.compression, settings.verbose, settings.logLevel], ["lzma", true, "ERROR"]);
  });
});

test("uplink_limit is in Mbit/s", async () => {
  await inFolders(async (folders) => {
    const limit = async (text: string): Promise<number | undefined> =>
      (await folders.load({ HOMCC_UPLINK_LIMIT: text })).settings.uplinkBytesPerSecond;
    assert.equal(await limit("2.5"), 312_500);
    assert.equal(await limit(".1"), 12_500);
    for (const text of ["0", "-1", "2M", "1e3", "0.001"]) assert.equal(await limit(text), undefined, text);
  });
});

test("booleans: what 1.x takes for true in a variable, what configparser takes in a file; a variable can switch off", async () => {
  await inFolders(async (folders) => {
    const verbose = async (text: string): Promise<boolean> =>
      (await folders.load({ HOMCC_VERBOSE: text })).settings.verbose;
    for (const text of ["1", "yes", "TRUE", "On", "1st", "yesterday"])
      assert.equal(await verbose(text), true, text);
    for (const text of ["0", "no", "off", "only", "2", " 1"]) assert.equal(await verbose(text), false, text);
    const file = await folders.write(
      "home/.homcc/homcc.conf",
      "[homcc]\nverbose = ON\nno_local_compilation = maybe\n",
    );
    assert.equal(await verbose("0"), false);
    const loaded = await folders.load();
    assert.deepEqual([loaded.settings.verbose, loaded.settings.noLocalCompilation], [true, false]);
    assert.deepEqual(descriptions(loaded), [
      `${file}:3: no_local_compilation: 'maybe' is not allowed (allowed: 1, yes, true, on, 0, no, false, off)`,
    ]);
  });
});

test("a bad value names its source and what is allowed, and the next source counts", async () => {
  await inFolders(async (folders) => {
    const file = await folders.write(
      "home/.homcc/homcc.conf",
      "[homcc]\nestablish_connection_timeout = 2.5\nlog_level = LOUD\ncompression = %\nunknown = 1\nbase=z\nagent_idle_time=%(base)s\n",
    );
    const loaded = await folders.load({
      HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "-1",
      HOMCC_REMOTE_COMPILATION_TRIES: "0x3",
    });
    assert.equal(loaded.settings.establishConnectionTimeoutMs, 2500);
    assert.deepEqual(
      descriptions(loaded)
        .map((text) => text.replaceAll(file, "FILE"))
        .sort(),
      [
        "FILE:3: log_level: 'LOUD' is not allowed (allowed: DEBUG, INFO, WARNING, ERROR, CRITICAL)",
        "FILE:4: compression: a '%' that is not followed by '%' or '(NAME)s' ('%%' stands for a percent sign)",
        "FILE:5: unknown key 'unknown' in [homcc] (known: log_level, verbose, no_local_compilation, schroot_profile, docker_container, strict_sandbox, compression, compilation_request_timeout, establish_connection_timeout, remote_compilation_tries, uplink_limit, tls_certificate, tls_key, tls_ca, ssh_executable, ssh_control_persist, ssh_options, agent_idle_time, agent_log_level, state_files, client_cache_size, audit_rate)",
        "FILE:7: agent_idle_time: 'z' is not allowed (allowed: seconds above 0 and up to 2000000; fractions like 0.5 are fine)",
        "HOMCC_ESTABLISH_CONNECTION_TIMEOUT: '-1' is not allowed (allowed: seconds above 0 and up to 2000000; fractions like 0.5 are fine)",
        "HOMCC_REMOTE_COMPILATION_TRIES: '0x3' is not allowed (allowed: a whole number from 1 to 1000)",
      ].sort(),
    );
  });
});

test("hosts: --host, then HOMCC_HOSTS, then the first file that is not empty", async () => {
  await inFolders(async (folders) => {
    const hosts = async (
      environment: Readonly<Record<string, string>> = {},
      commandLine: Readonly<Record<string, string>> = {},
    ): Promise<string[]> => (await folders.load(environment, commandLine)).hosts.map(({ text }) => text);
    await folders.write("etc/hosts", "system/1\n");
    assert.deepEqual(await hosts(), ["system/1"]);
    const empty = await folders.write("home/.homcc/hosts", "\n");
    await folders.write("home/.config/homcc/hosts", "configured/2\n");
    assert.deepEqual(await hosts(), ["configured/2"]);
    assert.deepEqual(descriptions(await folders.load()), [`${empty}: the file is empty (it is skipped)`]);
    assert.deepEqual(await hosts({ HOMCC_HOSTS: "variable/3\nother" }), ["variable/3", "other"]);
    assert.deepEqual(await hosts({ HOMCC_HOSTS: "" }), ["configured/2"]);
    assert.deepEqual(await hosts({ HOMCC_HOSTS: "variable/3" }, { host: "[::1]:9/4,lzo", no_config: "1" }), [
      "[::1]:9/4,lzo",
    ]);
  });
});

test("two shells with different variables do not disturb each other, and a changed file counts at once", async () => {
  await inFolders(async (folders) => {
    await folders.write("one/.homcc/hosts", "one\n");
    await folders.write("two/.homcc/hosts", "two\n");
    const names = async (home: string): Promise<string[]> =>
      (await folders.load({ HOME: join(folders.root, home) })).hosts.map(({ name }) => name);
    assert.deepEqual(await Promise.all([names("one"), names("two"), names("one")]), [
      ["one"],
      ["two"],
      ["one"],
    ]);
    // Same size and same time stamp in seconds: only the inode's change time tells.
    const file = await folders.write("one/.homcc/hosts", "neo\n");
    await utimes(file, 1, 1);
    assert.deepEqual(await names("one"), ["neo"]);
    await writeFile(file, "eno\n");
    await utimes(file, 1, 1);
    assert.deepEqual(await names("one"), ["eno"]);
    await rm(file);
    assert.deepEqual(await names("one"), []);
  });
});

test("of two calls that differ in a variable of ssh alone each has its own, as have those in two folders", async () => {
  await inFolders(async (folders) => {
    const systemFolder = folders.systemFolder;
    const load = async (keys: string, cwd: string): Promise<LoadedSettings> => {
      const environment = { HOME: folders.home, HOMCC_HOSTS: "@a b", HOMCC_DEBUG_DIR: "jobs", KEYS: keys };
      return loadSettings({ environment, cwd, systemFolder });
    };
    const calls = [await load("1", "/x"), await load("2", "/x"), await load("1", "/y")];
    assert.deepEqual(
      calls.map(({ settings }) => [settings.ssh.environment["KEYS"], settings.debugFolder]),
      [
        ["1", "/x/jobs"],
        ["2", "/x/jobs"],
        ["1", "/y/jobs"],
      ],
    );
    assert.deepEqual(
      calls.map(({ hosts }) => hosts.map(({ ssh }) => ssh?.environment["KEYS"])),
      [
        ["1", undefined],
        ["2", undefined],
        ["1", undefined],
      ],
    );
  });
});

test("a file that comes, changes, goes, or stands before another counts for a call that was answered before", async () => {
  await inFolders(async (folders) => {
    const names = async (): Promise<string> =>
      (await folders.load()).hosts.map(({ text, compression }) => `${text} ${compression}`).join();
    assert.equal(await names(), "");
    const hosts = await folders.write("etc/hosts", "a\n");
    assert.equal(await names(), "a undefined");
    const conf = await folders.write("home/.homcc/homcc.conf", "[homcc]\ncompression=lzo\n");
    assert.equal(await names(), "a lzo");
    await writeFile(conf, "[homcc]\ncompression=lzma\n");
    assert.equal(await names(), "a lzma");
    await folders.write("home/.config/homcc/hosts", "b\n");
    assert.equal(await names(), "b lzma");
    await rm(join(folders.home, ".config"), { recursive: true });
    await rm(conf);
    assert.equal(await names(), "a undefined");
    await rm(hosts);
    assert.equal(await names(), "");
  });
});

test("a file that cannot be read is named and skipped", async () => {
  await inFolders(async (folders) => {
    await mkdir(join(folders.home, ".homcc", "hosts"), { recursive: true });
    await folders.write("home/.config/homcc/hosts", "next\n");
    await writeFile(join(folders.home, ".homcc", "homcc.conf"), Buffer.from("[homcc]\n# \xff\n", "latin1"));
    const loaded = await folders.load();
    assert.deepEqual(
      loaded.hosts.map(({ name }) => name),
      ["next"],
    );
    assert.deepEqual(
      loaded.problems.map(({ source, message }) => `${source.slice(folders.home.length)}: ${message}`),
      [
        "/.homcc/homcc.conf: cannot be read: it is not UTF-8",
        "/.homcc/hosts: cannot be read: it is a folder",
      ],
    );
  });
});

test("a host's compression beats the default", async () => {
  const environment = {
    HOME: "/nonexistent",
    HOMCC_HOSTS: "a,lzo b c,no_compression",
    HOMCC_COMPRESSION: "lzma",
  };
  const { hosts } = await loadSettings({ environment, systemFolder: "/nonexistent" });
  assert.deepEqual(
    hosts.map(({ compression }) => compression),
    ["lzo", "lzma", "no_compression"],
  );
});

test("hosts with @ have the settings of ssh, from variables, files and defaults", async () => {
  await inFolders(async (folders) => {
    const hosts = "plain me@a @b:4/5";
    const byDefault = await folders.load({ HOMCC_HOSTS: hosts });
    const environment = { ...byDefault.settings.ssh.environment };
    assert.equal(environment["HOMCC_HOSTS"], hosts);
    const defaults = { executable: "ssh", options: [], controlPersistMs: 600_000, environment };
    assert.deepEqual(
      byDefault.hosts.map(({ ssh }) => ssh),
      [undefined, { ...defaults, user: "me" }, { ...defaults, user: "" }],
    );
    await folders.write(
      "home/.homcc/homcc.conf",
      "[homcc]\nssh_executable=/opt/ssh\nssh_control_persist=60\nssh_options=-o 'User=%%u x' -p 2222\n",
    );
    const variables = { HOMCC_HOSTS: "@a", HOMCC_SSH_CONTROL_PERSIST: "0", SSH_AUTH_SOCK: "/run/keys" };
    const [host] = (await folders.load(variables)).hosts;
    assert.deepEqual(
      [host?.ssh?.executable, host?.ssh?.controlPersistMs, host?.ssh?.options],
      ["/opt/ssh", 0, ["-o", "User=%u x", "-p", "2222"]],
    );
    assert.equal(host?.ssh?.environment["SSH_AUTH_SOCK"], "/run/keys");
    for (const options of ["-i 'key", "-f", "-4Cf", "-v -fN"]) {
      const loaded = await folders.load({ HOMCC_HOSTS: "@a", HOMCC_SSH_OPTIONS: options });
      assert.match(descriptions(loaded)[0] ?? "", /^HOMCC_SSH_OPTIONS: .*quoted as in a shell; not -f/);
    }
    for (const options of ["-lfrank", "-F file", "-p2222 -i/home/f"]) {
      const loaded = await folders.load({ HOMCC_HOSTS: "@a", HOMCC_SSH_OPTIONS: options });
      assert.deepEqual(descriptions(loaded), [], options);
    }
  });
});

test("a sandbox is the job's; two at once end the job; --no-sandbox ignores both", async () => {
  await inFolders(async (folders) => {
    const one = await folders.load({ HOMCC_HOSTS: "a/4", HOMCC_SCHROOT_PROFILE: "jammy" });
    assert.deepEqual(one.settings.sandbox, { kind: "schroot", profile: "jammy" });
    assert.deepEqual([one.hosts.length, one.problems, one.fatal], [1, [], undefined]);
    assert.equal(one.settings.noLocalCompilation, false);
    const strict = await folders.load({ HOMCC_DOCKER_CONTAINER: "box", HOMCC_STRICT_SANDBOX: "1" });
    assert.deepEqual(strict.settings.sandbox, { kind: "docker", container: "box" });
    assert.equal(strict.settings.noLocalCompilation, true);
    assert.equal((await folders.load({ HOMCC_STRICT_SANDBOX: "1" })).settings.noLocalCompilation, false);
    const environment = { HOMCC_HOSTS: "a", HOMCC_SCHROOT_PROFILE: "jammy", HOMCC_DOCKER_CONTAINER: "box" };
    const both = await folders.load(environment);
    assert.deepEqual(
      [both.fatal?.code, both.fatal?.message],
      [
        "ERR_HOMCC_USAGE",
        "Can not specify a schroot profile and a docker container to be used simultaneously.",
      ],
    );
    const none = await folders.load(environment, { no_sandbox: "1" });
    assert.deepEqual(
      [none.fatal, none.settings.sandbox, none.hosts.length, none.problems],
      [undefined, { kind: "none" }, 1, []],
    );
  });
});

test("only hosts that are never chosen are no hosts", async () => {
  const loaded = await loadSettings({ environment: { HOME: "/nonexistent", HOMCC_HOSTS: "a/0 localhost" } });
  assert.deepEqual([loaded.hosts.length, loaded.noHosts?.code], [1, "ERR_HOMCC_NO_HOSTS"]);
});

test("the server's settings", async () => {
  await inFolders(async (folders) => {
    const { home: HOME, systemFolder } = folders;
    const load = async (
      environment: Readonly<Record<string, string>>,
      commandLine: Readonly<Record<string, string>> = {},
    ) =>
      loadServerSettings({
        environment: { HOME, ...environment },
        commandLine,
        cwd: folders.root,
        systemFolder,
      });
    const { settings, problems } = await load({});
    const { allow, allowedProfiles, allowedContainers, tlsClientNames, ...plain } = settings;
    assert.deepEqual(plain, {
      limit: availableParallelism() + 2,
      port: 3126,
      addresses: ["0.0.0.0"],
      logLevel: "INFO",
      verbose: false,
      maxDependencyCacheBytes: 10 * 2 ** 30,
      noResultCache: false,
      minFreeBytes: 32 * 2 ** 20,
      store: join(HOME, ".cache/homcc/server"),
      executor: "auto",
      toolchains: "shipped",
      maxToolchainBytes: 2 * 2 ** 30,
      toolchainCacheBytes: 10 * 2 ** 30,
      replay: undefined,
      sandboxFolder: "/tmp",
      user: undefined,
      minFreeMemoryBytes: 256 * 2 ** 20,
      maxConnectionsPerClient: 1000,
      maxJobsPerClient: 4096,
      maxBytesPerSecondPerClient: undefined,
      maxStorageBytesPerClient: undefined,
      accessLog: undefined,
      drainTimeoutMs: 60_000,
      requiresCertificate: false,
      identityFolder:
        process.getuid?.() === 0 ? join(systemFolder, "identity") : join(HOME, ".config/homcc/identity"),
      tlsCertificate: undefined,
      tlsKey: undefined,
      tlsClientAuthorities: undefined,
    });
    assert.equal(tlsClientNames.text, "any");
    assert.equal(
      (await load({ HOMCC_DIR: "own" })).settings.identityFolder,
      join(folders.root, "own/identity"),
    );
    assert.equal(
      (await load({ HOMCCD_IDENTITY_DIR: "keys" })).settings.identityFolder,
      join(folders.root, "keys"),
    );
    assert.ok((await load({ HOMCCD_AUTHENTICATION: "required" })).settings.requiresCertificate);
    assert.deepEqual([allow.text, problems], ["private", []]);
    assert.deepEqual([allowedProfiles.text, allowedContainers.text], ["any", "any"]);
    const restricted = await load({
      HOMCCD_ALLOWED_PROFILES: "jammy, noble",
      HOMCCD_ALLOWED_CONTAINERS: "none",
    });
    const names = ["jammy", "noble", "bookworm"];
    assert.deepEqual(
      names.map((name) => restricted.settings.allowedProfiles.includes(name)),
      [true, true, false],
    );
    assert.deepEqual(
      names.map((name) => restricted.settings.allowedContainers.includes(name)),
      [false, false, false],
    );
    assert.equal((await load({ HOMCCD_ALLOWED_PROFILES: "a/b" })).problems.length, 1);
    const size = async (environment: Readonly<Record<string, string>>): Promise<number> =>
      (await load(environment)).settings.maxDependencyCacheBytes;
    assert.equal(await size({ HOMCC_MAX_DEPENDENCY_CACHE_SIZE: "7M" }), 7 * 2 ** 20);
    assert.equal(
      await size({ HOMCCD_MAX_DEPENDENCY_CACHE_SIZE: "3G", HOMCC_MAX_DEPENDENCY_CACHE_SIZE: "7M" }),
      3 * 2 ** 30,
    );
    assert.equal((await load({ HOMCC_DIR: "own" })).settings.store, join(folders.root, "own/server"));
    assert.equal((await load({ XDG_CACHE_HOME: "/x" })).settings.store, "/x/homcc/server");
    assert.equal((await load({}, { store: "here" })).settings.store, join(folders.root, "here"));
    assert.equal((await load({ HOMCCD_CACHE_DIR: "/c" })).settings.store, "/c");
    await folders.write("own/homcc.conf", "[homccd]\ncache_dir = /disk\nmin_free_space = 2G\n");
    const own = await load({ HOMCC_DIR: "own" });
    assert.deepEqual([own.settings.store, own.settings.minFreeBytes, own.problems], ["/disk", 2 ** 31, []]);
    await folders.write("own/homcc.conf", "[homccd]\ncache_dir = /disk\nstore = /other\n");
    assert.equal((await load({ HOMCC_DIR: "own" })).settings.store, "/other");
    await rm(join(folders.root, "own"), { recursive: true });
    const replay = { executor: "replay", replay_dir: "records" };
    const replaying = await load({}, { ...replay, replay_root: "/home/u" });
    assert.deepEqual(replaying.settings.replay, { folder: join(folders.root, "records"), root: "/home/u" });
    assert.deepEqual(replaying.problems, []);
    for (const wrong of [{ executor: "replay" }, { ...replay, executor: "auto" }, { replay_root: "/" }])
      assert.equal((await load({}, wrong)).problems.length, 1, JSON.stringify(wrong));
    const addresses = async (address: string) => (await load({}, { address })).settings.addresses;
    assert.deepEqual(await addresses("[::]"), ["::"]);
    assert.deepEqual(await addresses(" 127.0.0.1, [fd00::1] build-7,127.0.0.1 "), [
      "127.0.0.1",
      "fd00::1",
      "build-7",
    ]);
    for (const bad of [",", "::g", "127.0.0.1;::1"])
      assert.deepEqual((await load({ HOMCCD_ADDRESS: bad })).problems.length, 1, bad);
    for (const bad of ["10", "10K", "0G", "-1G", "1.5G"]) {
      const loaded = await load({ HOMCCD_MAX_DEPENDENCY_CACHE_SIZE: bad });
      assert.deepEqual(
        loaded.problems.map(({ severity }) => severity),
        ["error"],
        bad,
      );
    }
  });
});
