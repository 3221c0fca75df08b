/** What is small on the wire and large in memory ends early, costs little memory, and is nobody else's trouble. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { digestOf } from "@homcc/cas/digest";
import { HostileClient, RawClient, toolchainOf } from "../../support/hostile-client.ts";
import { recordHostileRequest } from "../../support/reliability.ts";
import { startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";

const message = 1;
const data = 2;
const zstd = 0x01;
const history = 0x04;

/** One zstd frame of 10 GB of zeros in 330 kB: blocks that say "128 kB of this byte". */
function tenGigabytes(): Buffer {
  const blockBytes = 128 << 10;
  const blocks = Math.ceil(10e9 / blockBytes);
  const frame = Buffer.alloc(6 + 4 * blocks);
  frame.writeUInt32LE(0xfd2fb528);
  frame.writeUInt8((17 - 10) << 3, 5); // a window of 128 kB
  for (let at = 0; at < blocks; at += 1)
    frame.writeUIntLE((at === blocks - 1 ? 1 : 0) | (1 << 1) | (blockBytes << 3), 6 + 4 * at, 3);
  return frame;
}

function peakKiB(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
}

test("bombs of 10 GB end their own connection, and others compile meanwhile", async () => {
  await using server = await startServer({ executor: "namespace" });
  const toolchain = await toolchainOf("gcc", "gcc");
  await using honest = await HostileClient.connect(server.port, toolchain);
  const compile = async (): Promise<void> => {
    const { status, said } = await honest.run({ argv: ["gcc", "-c", "a.c"] });
    assert.equal(status, 0, said);
  };
  await compile();
  const before = peakKiB(server.pid);

  const bomb = tenGigabytes();
  const base = Buffer.from("a base that is sent whole");
  const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const blob = { kind: "blob", digest: `${"0".repeat(64)}/10000000000` };
  const small = { kind: "blob", digest: `${"0".repeat(64)}/1000000` };
  const asHistory = (client: RawClient): void => client.send(message, history, 1, bomb.subarray(4));
  const attacks: readonly ((client: RawClient) => void | Promise<void>)[] = [
    (client) => client.send(message, zstd, 1, bomb),
    asHistory,
    (client) => {
      client.send(message, 0, 1, text(blob));
      client.send(data, zstd, 1, bomb);
    },
    async (client) => {
      client.send(message, 0, 1, text({ kind: "blob", digest: digestOf(base) }));
      client.send(data, 0x02, 1, base);
      await waitFor("the base", () => client.said.includes('"kind":"stored"'));
      client.send(message, 0, 2, text({ ...small, base: digestOf(base) }));
      client.send(data, 0x02, 2, bomb);
    },
    (client) =>
      client.send(
        message,
        zstd,
        1,
        zstdCompressSync(Buffer.from(`{"kind":"job","x":[${"[],".repeat(2e6)}0]}`)),
      ),
    (client) =>
      client.send(message, zstd, 1, zstdCompressSync(Buffer.from(`{"kind":"job","x":${"[".repeat(3e6)}`))),
    (client) =>
      client.send(
        message,
        zstd,
        1,
        zstdCompressSync(
          Buffer.from(`{"kind":"job",${Array.from({ length: 5e5 }, (_, at) => `"k${at}":0`).join()}}`),
        ),
      ),
  ];
  const rounds = 4;
  const attacking = Array.from({ length: rounds }, async () => {
    for (const attack of attacks) {
      const client = await RawClient.connect(
        server.port,
        attack === asHistory ? ["zstd", "history"] : ["zstd", "delta"],
      );
      await attack(client);
      // What is wrong with a blob alone costs the blob.
      await Promise.race([
        client.closed,
        waitFor("an end of the attack", () => client.said.includes('"kind":"rejected"'), 60_000),
      ]);
      client.destroy();
    }
  });
  const compiling = (async () => {
    for (let at = 0; at < 5; at += 1) await compile();
  })();
  await Promise.all([...attacking, compiling]);
  await compile();
  const grownMiB = (peakKiB(server.pid) - before) / 1024;
  assert.ok(grownMiB < 250, `homccd grew by ${grownMiB.toFixed(0)} MiB`);
  recordHostileRequest("a decompression bomb, or JSON that is large in memory", {
    tried: rounds * attacks.length,
    refused: rounds * attacks.length,
  });
});
