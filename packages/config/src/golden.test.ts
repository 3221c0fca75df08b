/** The examples in the README of homcc 1.x, which its users have in their homes, mean what that README says. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadServerSettings, loadSettings } from "./load.ts";

const hostsExample = `# homcc: hosts
localhost
remotehost/12
192.168.0.1:3126/21
[FC00::1]:3126/42,lzo

# Comment
`;

const configurationExample = `[homcc]
compression=lzo
schroot_profile=jammy
docker_container=example_container
compilation_request_timeout=120
establish_connection_timeout=10
remote_compilation_tries=3
log_level=DEBUG
verbose=True
no_local_compilation=True

[homccd]
limit=64
port=3126
address=0.0.0.0
log_level=DEBUG
verbose=True
max_dependency_cache_size=10G
`;

test("the example files of homcc 1.x", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-golden-"));
  try {
    await writeFile(join(folder, "hosts"), hostsExample);
    await writeFile(join(folder, "homcc.conf"), configurationExample);
    const call = { environment: { HOMCC_DIR: folder, HOME: "/nonexistent" }, systemFolder: "/nonexistent" };
    const client = await loadSettings({ ...call, commandLine: { no_sandbox: "1" } });
    assert.deepEqual(client.problems, []);
    assert.deepEqual(client.localhost, { limit: 2, configured: true });
    assert.deepEqual(
      client.hosts.map(({ name, port, limit, compression }) => [name, port, limit, compression]),
      [
        ["remotehost", 3126, 12, "lzo"],
        ["192.168.0.1", 3126, 21, "lzo"],
        ["FC00::1", 3126, 42, "lzo"],
      ],
    );
    assert.deepEqual(client.settings, {
      compression: "lzo",
      sandbox: { kind: "none" },
      ssh: { executable: "ssh", options: [], controlPersistMs: 600_000, environment: call.environment },
      tls: {
        folders: client.settings.tls.folders,
        certificate: undefined,
        key: undefined,
        authorities: undefined,
      },
      compilationRequestTimeoutMs: 120_000,
      establishConnectionTimeoutMs: 10_000,
      remoteCompilationTries: 3,
      logLevel: "DEBUG",
      verbose: true,
      noLocalCompilation: true,
      uplinkBytesPerSecond: undefined,
      agentIdleTimeoutMs: 3_600_000,
      agentLogLevel: "INFO",
      stateFiles: true,
      clientCacheBytes: 2 ** 30,
      auditRate: 0.005,
      debugFolder: undefined,
    });
    // The example shows every key, also the two that exclude each other.
    const withSandboxes = await loadSettings(call);
    assert.deepEqual(withSandboxes.settings.sandbox, { kind: "schroot", profile: "jammy" });
    assert.equal(withSandboxes.fatal?.code, "ERR_HOMCC_USAGE");

    const server = await loadServerSettings(call);
    assert.deepEqual(server.problems, []);
    const { limit, port, addresses, logLevel, verbose, maxDependencyCacheBytes } = server.settings;
    assert.deepEqual([limit, port, addresses, logLevel, verbose], [64, 3126, ["0.0.0.0"], "DEBUG", true]);
    assert.equal(maxDependencyCacheBytes, 10 * 1024 ** 3);
  } finally {
    await rm(folder, { recursive: true });
  }
});
