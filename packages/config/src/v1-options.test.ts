/** The whole command line, every variable and every key of homcc 1.0.3: none may stop being understood. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseFlags } from "./flags.ts";
import { loadServerSettings, loadSettings } from "./load.ts";
import type { Program } from "./options.ts";

const flags: Readonly<Record<Program, readonly (readonly string[])[]>> = {
  homcc: [
    ["--help"],
    ["--version"],
    ["--show-hosts"],
    ["-j"],
    ["--show-concurrency"],
    ["--show-variables"],
    ["--scan-includes"],
    ["--log-level", "DEBUG"],
    ["--log-level=WARNING"],
    ["--verbose"],
    ["--no-config"],
    ["--no-local-compilation"],
    ["--host", "remotehost:3126/12,lzo"],
    ["--schroot-profile", "jammy"],
    ["--docker-container", "example_container"],
    ["--no-sandbox"],
    ["--compilation_request_timeout", "12.5"],
    ["--establish_connection_timeout", "2"],
    ["--remote_compilation_tries", "3"],
  ],
  homccd: [
    ["--help"],
    ["--version"],
    ["--profiles"],
    ["--jobs", "64"],
    ["-j", "64"],
    ["-j64"],
    ["--no-config"],
    ["--max-dependency-cache-size", "500M"],
    ["--port", "3126"],
    ["--listen", "0.0.0.0"],
    ["--log-level", "INFO"],
    ["--verbose"],
  ],
};

for (const program of ["homcc", "homccd"] as const) {
  test(`${program} understands every flag of 1.x, and knows no -h and no abbreviations`, () => {
    for (const words of flags[program]) {
      const parsed = parseFlags(program, [...words, "rest"]);
      assert.ok(parsed.kind === "parsed", words.join(" "));
      const [value] = Object.values(parsed.values);
      const given = words[1] ?? /[=\d].*$/.exec(words[0] ?? "")?.[0].replace("=", "") ?? "1";
      assert.deepEqual([value, Object.keys(parsed.values).length], [given, 1], words.join(" "));
    }
    for (const word of ["-h", "--verb", "--log"])
      assert.equal(parseFlags(program, [word]).kind, "error", word);
  });
}

type Row = readonly [
  setting: string,
  variable: string | undefined,
  key: string | undefined,
  text: string,
  value: unknown,
];

const clientRows: readonly Row[] = [
  ["compression", "HOMCC_COMPRESSION", "compression", "lzo", "lzo"],
  ["sandbox", "HOMCC_SCHROOT_PROFILE", "schroot_profile", "jammy", { kind: "schroot", profile: "jammy" }],
  ["sandbox", "HOMCC_DOCKER_CONTAINER", "docker_container", "box", { kind: "docker", container: "box" }],
  [
    "compilationRequestTimeoutMs",
    "HOMCC_COMPILATION_REQUEST_TIMEOUT",
    "compilation_request_timeout",
    "120",
    120_000,
  ],
  [
    "establishConnectionTimeoutMs",
    "HOMCC_ESTABLISH_CONNECTION_TIMEOUT",
    "establish_connection_timeout",
    "7.5",
    7_500,
  ],
  ["remoteCompilationTries", "HOMCC_REMOTE_COMPILATION_TRIES", "remote_compilation_tries", "5", 5],
  ["logLevel", "HOMCC_LOG_LEVEL", "log_level", "ERROR", "ERROR"],
  ["verbose", "HOMCC_VERBOSE", "verbose", "True", true],
  ["noLocalCompilation", "HOMCC_NO_LOCAL_COMPILATION", "no_local_compilation", "True", true],
];

const serverRows: readonly Row[] = [
  ["limit", "HOMCCD_LIMIT", "limit", "64", 64],
  ["port", "HOMCCD_PORT", "port", "4000", 4000],
  ["addresses", "HOMCCD_ADDRESS", "address", "127.0.0.1", ["127.0.0.1"]],
  ["logLevel", "HOMCCD_LOG_LEVEL", "log_level", "ERROR", "ERROR"],
  ["verbose", "HOMCCD_VERBOSE", "verbose", "True", true],
  ["maxDependencyCacheBytes", "HOMCCD_MAX_DEPENDENCY_CACHE_SIZE", "max_dependency_cache_size", "2G", 2 ** 31],
  ["maxDependencyCacheBytes", "HOMCC_MAX_DEPENDENCY_CACHE_SIZE", undefined, "2G", 2 ** 31],
];

for (const [program, rows, load] of [
  ["homcc", clientRows, loadSettings],
  ["homccd", serverRows, loadServerSettings],
] as const) {
  test(`${program} reads every variable and every key of 1.x`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "homcc-v1-options-"));
    t.after(() => rm(folder, { recursive: true }));
    const settingsWith = async (environment: Readonly<Record<string, string>>, file: string) => {
      await writeFile(join(folder, "homcc.conf"), file);
      const { settings, problems } = await load({
        environment: { HOME: "/nonexistent", HOMCC_DIR: folder, ...environment },
        systemFolder: "/nonexistent",
      });
      assert.deepEqual(problems, []);
      return new Map<string, unknown>(Object.entries(settings));
    };
    const defaults = await settingsWith({}, "");
    for (const [setting, variable, key, text, value] of rows) {
      assert.notDeepEqual(defaults.get(setting), value, setting);
      if (variable !== undefined)
        assert.deepEqual((await settingsWith({ [variable]: text }, "")).get(setting), value, variable);
      if (key !== undefined)
        assert.deepEqual((await settingsWith({}, `[${program}]\n${key}=${text}\n`)).get(setting), value, key);
    }
  });
}

test("the variables without a key: hosts, the folder of the configuration, ssh", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-v1-options-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "hosts"), "user@build\n");
  const { hosts } = await loadSettings({
    environment: {
      HOMCC_DIR: folder,
      HOMCC_SSH_EXECUTABLE: "/opt/ssh",
      HOMCC_SSH_CONTROL_PERSIST: "60",
      HOMCC_SSH_OPTIONS: "-p 2222",
    },
    systemFolder: "/nonexistent",
  });
  const [host] = hosts;
  const { environment: _environment, ...ssh } = host?.ssh ?? {};
  assert.deepEqual(ssh, {
    user: "user",
    executable: "/opt/ssh",
    options: ["-p", "2222"],
    controlPersistMs: 60_000,
  });
  const given = await loadSettings({ environment: { HOMCC_DIR: folder, HOMCC_HOSTS: "other/3" } });
  assert.deepEqual(
    given.hosts.map(({ text }) => text),
    ["other/3"],
  );
});
