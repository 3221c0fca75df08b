import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { Administration } from "./administration.ts";
import { Docker } from "./docker.ts";

/** A `docker` that answers by a shell script. */
async function answering(script: string, run: (docker: Docker) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homccd-docker-"));
  try {
    const program = join(folder, "docker");
    await writeFile(program, `#!/bin/sh\n${script}\n`);
    await chmod(program, 0o755);
    const administration = new Administration({ PATH: `${folder}:/usr/bin:/bin` });
    assert.equal(administration.find("docker"), program);
    await run(new Docker(program, administration));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("containers of docker and of podman, by what both print", async () => {
  const described = [
    {
      Id: "0123",
      Name: "/box",
      State: { Status: "running", Pid: 42 },
      Config: { Env: ["A=b", "PATH=/opt/bin:/bin"] },
      Mounts: [{ Type: "bind", Source: "/tmp", Destination: "/tmp", RW: true }],
    },
  ];
  const script = `case $2 in
ls) printf 'box\\trunning\\nold,alias\\tExited\\npod\\tUp 2 seconds ago\\n' ;;
inspect) echo '${JSON.stringify(described)}' ;;
*) echo 'podman version 4.3.1' ;;
esac`;
  await answering(script, async (docker) => {
    assert.equal(await docker.engine(), "podman");
    assert.deepEqual(await docker.containers(), [
      { name: "box", state: "running" },
      { name: "old", state: "exited" },
      { name: "pod", state: "running" },
    ]);
    assert.deepEqual(await docker.container("box"), {
      name: "box",
      id: "0123",
      state: "running",
      pid: 42,
      path: "/opt/bin:/bin",
      mounts: [{ source: "/tmp", destination: "/tmp", writable: true }],
    });
  });
});

test("a container that does not exist is told from an engine that does not answer", async () => {
  await answering("echo 'Error: No such container: x' >&2; exit 1", async (docker) => {
    assert.equal(await docker.container("x"), undefined);
  });
  await answering("echo 'permission denied' >&2; exit 1", async (docker) => {
    await assert.rejects(docker.container("x"), (error) => hasCode(error, "ERR_HOMCC_SANDBOX"));
    await assert.rejects(docker.containers(), /does not answer homccd: permission denied/);
  });
});
