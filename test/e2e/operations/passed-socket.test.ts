/** A port that somebody else keeps open while homccd is restarted: systemd, played by this test. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { replayedUnits } from "../../support/replayed-units.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { createWorkplace } from "../../support/workplace.ts";

interface Handle {
  readonly fd: number;
  close(): void;
}

/** A socket with a port that this process takes no connections from: once anybody has listened on it, they wait in it. */
function boundSocket(): Handle {
  const create: unknown = Reflect.get(net, "_createServerHandle");
  assert.ok(typeof create === "function");
  const handle: unknown = create("127.0.0.1", 0, 4);
  assert.ok(isHandle(handle));
  return handle;
}

function isHandle(value: unknown): value is Handle {
  return typeof value === "object" && value !== null && "fd" in value && "close" in value;
}

test("a client that comes while no homccd runs waits for the next one", async () => {
  await using workplace = await createWorkplace({ forbidLocal: false });
  const units = await replayedUnits(workplace.project, join(workplace.folder, "records"), 2, () => 20);
  const holder = boundSocket();
  try {
    const options = { options: [...units.options, "--log-level", "DEBUG"], passedSocket: holder.fd };
    await using first = await startServer(options);
    const compile = (name: string) =>
      workplace.run([homccProgram, "gcc", "-c", name], {
        environment: workplace.environment({ HOMCC_HOSTS: `${first.address}/4` }),
      });
    const [one = "", other = ""] = units.names;
    assert.equal((await compile(one)).status, 0);
    first.kill("SIGTERM");
    await first.ended;
    const waiting = compile(other);
    await using second = await startServer({ ...options, storeFolder: first.storeFolder });
    assert.equal((await waiting).status, 0);
    assert.equal(
      await readFile(join(workplace.project, other.replace(/c$/, "o")), "utf8"),
      units.object(other),
    );
    const outcomes = (await workplace.jobs(2)).map(({ outcome }) => outcome);
    assert.deepEqual(outcomes, ["compiled-remotely", "compiled-remotely"]);
    assert.equal(second.port, first.port, "its --port does not count");
  } finally {
    holder.close();
  }
});
