import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode, HomccError } from "@homcc/observability/error";
import { silentLogger } from "@homcc/observability/log";
import { askHomccd, openControlSocket } from "./control-socket.ts";
import { afterPredecessor } from "./predecessor.ts";

async function inStore(body: (store: string) => Promise<void>, name = "store"): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    const store = join(folder, name);
    await mkdir(store, { recursive: true });
    await body(store);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a question, its progress, its answer; also with a path that no socket's address has room for", async () => {
  for (const name of ["store", `${"long/".repeat(40)}store`]) {
    await inStore(async (store) => {
      await using _control = await openControlSocket(store, async (command, { progress }) => {
        progress("half of it");
        return `${command} is done`;
      });
      const heard: string[] = [];
      assert.equal(await askHomccd(store, "drain", (text) => heard.push(text)), "drain is done");
      assert.deepEqual(heard, ["half of it"]);
      assert.equal((await stat(join(store, "control"))).mode & 0o777, 0o700);
    }, name);
  }
});

test("what the homccd says no to, one that is gone, one that never was, and one that ends meanwhile", async () => {
  await inStore(async (store) => {
    const ask = () => askHomccd(store, "drain", () => {});
    const isUnavailable = (error: unknown) => hasCode(error, "ERR_HOMCC_UNAVAILABLE");
    await assert.rejects(ask(), isUnavailable);
    const refusing = await openControlSocket(store, async () => {
      throw new HomccError("ERR_HOMCC_CONFIGURATION", "no", { hint: "do that" });
    });
    await assert.rejects(ask(), /no \(do that\)/);
    await refusing[Symbol.asyncDispose]();
    await assert.rejects(ask(), isUnavailable);
    const asked = Promise.withResolvers<void>();
    const hanging = await openControlSocket(store, async () => {
      asked.resolve();
      return await new Promise<never>(() => {});
    });
    const asking = ask();
    await asked.promise;
    await hanging[Symbol.asyncDispose]();
    await assert.rejects(asking, isUnavailable);
  });
});

test("what is no request is answered, and costs nothing but its connection", async () => {
  await inStore(async (store) => {
    let calls = 0;
    await using _control = await openControlSocket(store, async () => {
      calls += 1;
      return "done";
    });
    for (const text of ["{}\n", "drain\n", '{"command":"explode"}\n', "x".repeat(5000), "null\n", "[\n"]) {
      const socket = createConnection(join(store, "control/socket"));
      socket.write(text);
      let answer = "";
      socket.on("data", (chunk) => (answer += String(chunk)));
      await once(socket, "close");
      assert.match(answer, /^\{"error":/);
    }
    const silent = createConnection(join(store, "control/socket"));
    await once(silent, "connect");
    silent.destroy();
    assert.equal(await askHomccd(store, "drain", () => {}), "done");
    assert.equal(calls, 1);
  });
});

test("a store is waited for while its homccd ends, and not otherwise", async () => {
  await inStore(async (store) => {
    const inUse = new HomccError("ERR_HOMCC_CONFIGURATION", "in use");
    let isFree = false;
    const open = async (): Promise<string> => {
      if (!isFree) throw inUse;
      return "opened";
    };
    await assert.rejects(afterPredecessor(store, silentLogger, open), inUse);
    const followed = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    let isEnding = false;
    await using _control = await openControlSocket(store, async (_command, { progress }) => {
      if (!isEnding) return "serving";
      progress("ending");
      followed.resolve();
      await ended.promise;
      return "ended";
    });
    await assert.rejects(afterPredecessor(store, silentLogger, open), inUse);
    isEnding = true;
    const opening = afterPredecessor(store, silentLogger, open);
    await followed.promise;
    isFree = true;
    ended.resolve();
    assert.equal(await opening, "opened");
    const broken = new Error("the disk is broken");
    await assert.rejects(
      afterPredecessor(store, silentLogger, () => Promise.reject(broken)),
      broken,
    );
    await writeFile(join(store, "file"), "");
  });
});
