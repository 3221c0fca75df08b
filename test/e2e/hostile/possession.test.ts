/** What another client sent is nobody's by its digest: not as an input, not as a base, not by an upload that only names it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { HostileClient, RawClient, toolchainOf } from "../../support/hostile-client.ts";
import { recordHostileRequest } from "../../support/reliability.ts";
import { startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";

const message = 1;
const data = 2;
const end = 0x02;

test("a digest, a base and an upload of other bytes give nobody the contents", async () => {
  await using server = await startServer({ resultCache: true });
  const toolchain = await toolchainOf("gcc", "gcc");
  const secret = `static const char key[] = "${randomBytes(16).toString("hex")}";\n`;
  const digest = digestOf(Buffer.from(secret));
  const files = { "/w/a.c": '#include "k.h"\nconst char *k(void) { return key; }\n', "/w/k.h": secret };
  {
    await using victim = await HostileClient.connect(server.port, toolchain);
    assert.equal((await victim.run({ argv: ["gcc", "-c", "a.c"], files })).status, 0);
  }
  const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const thief = await RawClient.connect(server.port, ["delta", "possession"]);
  const uploads: readonly (readonly [first: object, bytes: Buffer, reason: string])[] = [
    [{ kind: "blob", digest: `${"1".repeat(64)}/40`, base: digest }, randomBytes(40), "base-missing"],
    [{ kind: "blob", digest }, randomBytes(Buffer.byteLength(secret)), "digest-mismatch"],
    [{ kind: "blob", digest }, Buffer.alloc(0), "digest-mismatch"],
    [{ kind: "blob", digest, base: digest }, randomBytes(20), "base-missing"],
  ];
  for (const [at, [first, bytes, reason]] of uploads.entries()) {
    thief.send(message, 0, at + 1, text(first));
    thief.send(data, end, at + 1, bytes);
    await waitFor("an answer", () => thief.said.split('"kind":"rejected"').length - 1 === at + 1);
    assert.equal(thief.said.split(`"reason":"${reason}"`).length - 1 > 0, true, thief.said.slice(-300));
  }
  assert.ok(!thief.said.includes('"kind":"stored"'), thief.said);
  // After all that the same job, of somebody who has all but the secret, is asked for it and goes no further.
  const { digest: toolchainDigest, driver, family, version } = toolchain;
  const source = Buffer.from(files["/w/a.c"]);
  thief.send(
    message,
    0,
    9,
    text({
      kind: "job",
      toolchain: { digest: toolchainDigest, driver, family, version },
      steps: [{ program: driver, argv: ["gcc", "-c", "a.c"] }],
      cwd: "/w",
      environment: { PATH: "/usr/bin:/bin" },
      umask: 0o022,
      terminal: {},
      declareFrom: 0,
      declare: [
        { kind: "file", path: "/w/a.c", digest: digestOf(source), mtimeNs: "1" },
        { kind: "file", path: "/w/k.h", digest, mtimeNs: "1" },
      ],
      inputs: [0, 1],
      outputs: [{ path: "/w/a.o", exists: false }],
      timeoutMs: 60_000,
      label: "a.c",
    }),
  );
  await waitFor("a question", () => thief.said.includes('"kind":"prove"'));
  thief.send(message, 0, 9, text({ kind: "proof", hash: "0".repeat(64), changed: [] }));
  await waitFor("to be asked for all of it", () => thief.said.split('"kind":"missing"').length > 1);
  assert.ok(!/"kind":"(?:started|queued|result)"/.test(thief.said), thief.said);
  assert.ok(!thief.said.includes(secret));
  thief.destroy();
  recordHostileRequest("a file of another client by its digest", { tried: 5, refused: 5 });
});
