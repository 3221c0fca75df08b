/** From `homccd pair` to objects that came in TLS, with real processes; and back: revoked, expired, forgotten. */
import assert from "node:assert/strict";
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { keepPairing } from "@homcc/identity/credential-file";
import { makePairing } from "@homcc/identity/pairing";
import { readPoolKey } from "@homcc/identity/pool-key";
import { pairAt, type PoolServer, secretsOf, startPoolServer } from "../../support/pool.ts";
import { homccProgram } from "../../support/repository.ts";
import { recordHostileRequest, recordSurvived } from "../../support/reliability.ts";
import { slowSource } from "../../support/slow-source.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const source =
  '#include <stdio.h>\nint main(void) { return puts("a source that nobody on the way may read"); }\n';

/** Compiles with homcc and plainly, and gives the outcome of the job; the objects are the same. */
async function compileBoth(
  workplace: Workplace,
  jobs: number,
  name = "a.c",
): Promise<{ outcome: string; detail: string }> {
  const compiler = name.endsWith(".c") ? "gcc" : "g++";
  const [remote, plain] = [join(workplace.project, "remote.o"), join(workplace.project, "plain.o")];
  const { status, stderr } = await workplace.run([homccProgram, compiler, "-c", name, "-o", remote]);
  assert.equal(status, 0, stderr);
  assert.equal((await workplace.run([compiler, "-c", name, "-o", plain])).status, 0);
  assert.ok((await readFile(remote)).equals(await readFile(plain)), "the objects are the same");
  const { outcome = "", detail = "" } = (await workplace.jobs(jobs)).at(-1) ?? {};
  return { outcome, detail };
}

/** Carries bytes on to a server and keeps what the client sent. */
async function startWiretap(
  port: number,
): Promise<AsyncDisposable & { readonly port: number; bytes(): Buffer }> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    const onward = connect(port, "127.0.0.1");
    for (const end of [socket, onward]) {
      sockets.add(end);
      end.on("error", () => {});
    }
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.pipe(onward).pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  assert.ok(typeof address === "object" && address !== null);
  return {
    port: address.port,
    bytes: () => Buffer.concat(chunks),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, "close");
    },
  };
}

/** Command lines of all processes, as everybody on the machine sees them, until it is disposed. */
function watchCommandLines(): AsyncDisposable & { readonly seen: Set<string> } {
  const seen = new Set<string>();
  const ending = new AbortController();
  const watching = (async () => {
    while (!ending.signal.aborted) {
      for (const pid of await readdir("/proc"))
        if (/^\d+$/.test(pid)) seen.add(await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => ""));
      await new Promise(setImmediate);
    }
  })();
  return {
    seen,
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await watching;
    },
  };
}

async function inPool(use: (pool: PoolServer, workplace: Workplace) => Promise<void>): Promise<void> {
  await using workplace = await createWorkplace({ forbidLocal: false });
  await writeFile(join(workplace.project, "a.c"), source);
  await using pool = await startPoolServer(join(workplace.folder, "identity"), { limit: 2 });
  await use(pool, workplace);
}

test("three commands, and a build goes through TLS; the secret shows nowhere", async () => {
  await using workplace = await createWorkplace();
  await writeFile(join(workplace.project, "a.c"), source);
  await using pool = await startPoolServer(join(workplace.folder, "identity"));
  await using wiretap = await startWiretap(pool.server.port);
  let line: string;
  let commandLines: ReadonlySet<string>;
  {
    await using watched = watchCommandLines();
    commandLines = watched.seen;
    line = await pool.lineFor("alice", "--expires", "90d", "--host", `127.0.0.1:${wiretap.port}`);
    assert.match(line, /^homcc:\/\/\S+\n$/);
    const { status, stdout, stderr } = await pairAt(workplace, line);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^paired as alice with the pool [\w-]{43} until /);
    assert.deepEqual(await compileBoth(workplace, 1).then(({ outcome }) => outcome), "compiled-remotely");
  }
  const hosts = await readFile(join(workplace.homccFolder, "hosts"), "utf8");
  assert.match(hosts, new RegExp(`^127\\.0\\.0\\.1:${wiretap.port}/4,key=[\\w-]{43}\\n$`));
  const again = await pairAt(workplace, line);
  assert.match(again.stdout, /was there already/);
  assert.equal(await readFile(join(workplace.homccFolder, "hosts"), "utf8"), hosts);

  const wire = wiretap.bytes();
  assert.equal(wire[0], 0x16);
  assert.doesNotMatch(wire.toString("latin1"), /nobody on the way|HomccV2|alice/);

  const secrets = await secretsOf(workplace, line);
  assert.equal((await stat(join(workplace.homccFolder, "pairings"))).mode & 0o777, 0o700);
  const places = [pool.server.log(), hosts, again.stdout, ...commandLines];
  for (const entry of await readdir(workplace.folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && !entry.parentPath.endsWith("pairings") && entry.name !== "pool.pem")
      places.push(await readFile(join(entry.parentPath, entry.name), "latin1"));
  assert.ok(
    [...commandLines].some((text) => text.includes("homccd.mjs")),
    "command lines were looked at",
  );
  for (const secret of secrets) for (const place of places) assert.ok(!place.includes(secret));
  assert.match(pool.server.log(), /alice \(127\.0\.0\.1:\d+\): homcc 2/);

  const status = await workplace.run([homccProgram, "status"]);
  assert.match(status.stdout, /\(key [\w-]{12}\) +connected/);
  const doctor = await workplace.run([homccProgram, "doctor"]);
  assert.match(doctor.stdout, /TLS with the pool's key/);
  const shown = await workplace.run([homccProgram, "--verbose", "--show-hosts"]);
  assert.match(shown.stdout, /,key=[\w-]{43} +homccd 2/);
  const clients = await pool.administer("clients");
  assert.match(
    clients.stdout,
    /^alice +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d +good +\d{4}-\d\d-\d\d \d\d:\d\d UTC +[\d.]+ [KM]iB$/m,
  );
});

test("one pairing is good for every server of the pool, also for one that comes later", async () => {
  await inPool(async (first, workplace) => {
    const line = await first.lineFor("alice");
    await pairAt(workplace, line);
    assert.equal((await compileBoth(workplace, 1)).outcome, "compiled-remotely");
    const later = join(workplace.folder, "later");
    await mkdir(later);
    await copyFile(join(first.identityFolder, "pool.pem"), join(later, "pool.pem"));
    await using second = await startPoolServer(later);
    const hosts = join(workplace.homccFolder, "hosts");
    const text = await readFile(hosts, "utf8");
    await writeFile(hosts, text.replace(String(first.server.port), String(second.server.port)));
    await writeFile(join(workplace.project, "a.c"), `${source}int more;\n`);
    assert.equal((await compileBoth(workplace, 2)).outcome, "compiled-remotely");
    assert.match(second.server.log(), /alice \(/);
  });
});

test("who is revoked during a long compile is out at once, and the build ends right", async (t) => {
  await inPool(async (pool, workplace) => {
    await pairAt(workplace, await pool.lineFor("alice"));
    await writeFile(join(workplace.project, "slow.cpp"), slowSource);
    const building = compileBoth(workplace, 1, "slow.cpp");
    await waitFor("the compiler to run there", () => /the compiler starts/.test(pool.server.log()));
    const { status, stdout, stderr } = await pool.administer("revoke", "alice");
    const toldMs = performance.now();
    assert.equal(status, 0, stderr);
    assert.match(stdout, /alice is refused from now on/);
    assert.match(stderr, /On each other server of the pool: homccd revoke alice/);
    await waitFor("the connection to end", () => /was closed: alice was revoked/.test(pool.server.log()));
    t.diagnostic(`${Math.round(performance.now() - toldMs)} ms after homccd revoke had ended`);
    const { outcome } = await building;
    assert.ok(["not-trusted", "connection-lost"].includes(outcome), outcome);
    assert.doesNotMatch(pool.server.log(), /slow\.cpp: exited/);
    const next = await compileBoth(workplace, 2);
    assert.equal(next.outcome, "not-trusted");
    assert.match(next.detail, /alice was revoked/);
    assert.match((await pool.administer("clients")).stdout, /^alice .* revoked/m);
    recordSurvived("a client is revoked while its job is compiled");
    recordHostileRequest("a connection with a revoked pairing", { tried: 1, refused: 1 });

    // A new pairing of the same name is good, and the old one stays out.
    await pairAt(workplace, await pool.lineFor("alice"));
    await waitFor("the server to be used again", async () => {
      const done = await compileBoth(workplace, (await workplace.jobs()).length + 1);
      return done.outcome === "compiled-remotely";
    });
    assert.match((await pool.administer("forget", "alice")).stderr, /alice can still connect/);
    await pool.administer("revoke", "alice");
    assert.match((await pool.administer("forget", "alice")).stdout, /2 records/);
    assert.doesNotMatch((await pool.administer("clients")).stdout, /alice .*(?:good|revoked)/);
    assert.match(await readFile(join(pool.identityFolder, "revoked"), "utf8"), /^alice /m);
  });
});

test("an expired pairing, and one from a machine whose clock is ahead, are told for what they are", async () => {
  await inPool(async (server, workplace) => {
    await pairAt(workplace, await server.lineFor("alice"));
    const pool = await readPoolKey(server.identityFolder);
    assert.ok(pool !== undefined);
    const dayMs = 86_400_000;
    let jobs = 0;
    for (const [madeMs, lastsMs, why] of [
      [Date.now() - 2 * dayMs, dayMs, /the pairing of bob expired on/],
      [Date.now() + 2 * dayMs, dayMs, /certificate of bob is valid from .* this server's clock says/],
    ] as const) {
      const pairing = makePairing(pool, {
        name: "bob",
        issuedMs: madeMs,
        nowMs: madeMs,
        expiresMs: madeMs + lastsMs,
      });
      await keepPairing(workplace.homccFolder, pairing);
      const { outcome, detail } = await compileBoth(workplace, ++jobs);
      assert.equal(outcome, "not-trusted");
      assert.match(detail, why);
      // A server that has turned somebody away is left alone for a while: another agent asks at once.
      await workplace.run([homccProgram, "status"]);
      recordHostileRequest("a connection with a pairing that has expired, or is not valid yet", {
        tried: 1,
        refused: 1,
      });
      const agent = /process (\d+)/.exec((await workplace.run([homccProgram, "status"])).stdout)?.[1];
      process.kill(Number(agent), "SIGTERM");
      await waitFor(
        "the agent to end",
        async () => !/process/.test((await workplace.run([homccProgram, "status"])).stdout),
      );
    }
  });
});

test("what cannot be meant is refused before anything is made", async () => {
  await inPool(async (pool) => {
    for (const [words, why] of [
      [["pair"], /usage: homccd pair --name NAME/],
      [["pair", "--name", "a/b"], /'a\/b' is no name for a client.*letters/],
      [["pair", "--name", "a", "--expires", "0d"], /--expires: '0d' is no time to come.*90d/],
      [["pair", "--name", "a", "--expires", "2020-01-01"], /no time to come/],
      [["pair", "--name", "a", "--host", "a b"], /--host/],
      [["pair", "--nam", "a"], /usage: homccd pair/],
      [["revoke"], /usage: homccd revoke NAME/],
      [["revoke", "a", "b"], /usage: homccd revoke NAME/],
      [["forget", "../a"], /no name for a client/],
      [["clients", "x"], /usage: homccd clients/],
    ] as const) {
      const { status, stdout, stderr } = await pool.administer(...words);
      assert.equal(status, 64, words.join(" "));
      assert.equal(stdout, "");
      assert.match(stderr, why);
    }
    assert.deepEqual((await readdir(pool.identityFolder)).sort(), ["pool.pem"]);
  });
});
