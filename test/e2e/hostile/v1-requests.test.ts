/** A client of homcc 1.x gets no more than any other: its commands are analysed, its paths confined, its payloads bounded. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, before, suite, test } from "node:test";
import { recordHostileRequest } from "../../support/reliability.ts";
import { meets } from "../../support/requirements.ts";
import { type Server, startServer } from "../../support/server.ts";
import { v1Arguments, v1Bytes } from "../../support/v1-conversation.ts";
import { waitFor } from "../../support/wait-for.ts";

const source = Buffer.from("int a;\n");
/** Of xz-utils. */
const xz = "xz";
const sha1 = (bytes: Uint8Array): string => createHash("sha1").update(bytes).digest("hex");

interface Asked {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  /** Payload of each file that the server asks for. */
  readonly answer?: Buffer;
  /** Instead, by SHA-1. */
  readonly contents?: ReadonlyMap<string, Buffer>;
  /** The client's address. */
  readonly from?: string;
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Everything that the server says until it ends the connection, or until it sent a result. */
async function ask(port: number, asked: Asked): Promise<string> {
  const { args, cwd = "/w", dependencies = { "/w/a.c": sha1(source) }, answer = source, more = {} } = asked;
  const socket = connect({ port, host: "127.0.0.1", localAddress: asked.from ?? "127.0.0.1" });
  let said = "";
  let answers = 0;
  let isOver = false;
  socket.on("error", () => {});
  socket.on("close", () => (isOver = true));
  await once(socket, "connect");
  socket.on("data", (chunk: Buffer) => {
    said += chunk.toString("latin1");
    const requests = [...said.matchAll(/"sha1sum": ?"(\w+)"/g)];
    for (; answers < requests.length; answers += 1) {
      const bytes = asked.contents?.get(requests[answers]?.[1] ?? "") ?? answer;
      const json = JSON.stringify({
        message_type: "DependencyReplyMessage",
        size: bytes.byteLength,
        compression: more["compression"] ?? "no_compression",
      });
      socket.write(v1Bytes(json.replace('"message_type":', '"message_type": '), bytes));
    }
  });
  const first =
    Object.keys(more).length === 0
      ? v1Arguments(args, cwd, dependencies)
      : v1Bytes(
          JSON.stringify({ message_type: "ArgumentMessage", args, cwd, dependencies, ...more }).replace(
            '"message_type":',
            '"message_type": ',
          ),
        );
  socket.write(first);
  await waitFor(
    "the server's last word",
    () => isOver || /CompilationResultMessage|Refused/.test(said),
    30_000,
  );
  socket.destroy();
  return said;
}

/** A result of a compile, as opposed to one that says why there is none. */
function compiled(said: string): boolean {
  return /"return_code": ?0/.test(said);
}

const gcc = (...words: string[]): Asked => ({ args: ["gcc", "-c", "a.c", ...words] });

const refused: readonly Asked[] = [
  ...[
    ["-fplugin=./x.so"],
    ["-wrapper", "sh,-c"],
    ["-specs=x"],
    ["-B."],
    ["@more"],
    ["-Wp,@more"],
    ["-Wa,@more"],
    ["-o", "/proc/x"],
    ["-include", "/proc/self/environ"],
    ["-I/proc"],
    ["-idirafter", "/sys"],
    ["-MD", "-MF", "/dev/mem"],
    ["-fdump-tree-all"],
    ["-save-temps"],
    ["-E"],
    ["-###"],
    ["-march=native"],
    ["--unheard-of"],
  ].map((words) => gcc(...words)),
  ...[
    "sh",
    "bash",
    "ld",
    "/bin/sh",
    "/usr/bin/gcc",
    "../usr/bin/gcc",
    "/w/x-gcc",
    "x/../gcc",
    "env",
    "",
    "as",
  ].map((name) => ({ args: [name, "-c", "a.c"] })),
  // A shell takes `-c` too.
  ...["sh", "bash"].map((name) => ({ args: [name, "-c", "id;#.c"] })),
  ...["w", "/w/..", "", "/w/\0", "/proc/self"].map((cwd) => ({ args: ["gcc", "-c", "a.c"], cwd })),
  ...["/proc/self/environ", "/w/../x", "x", "/w//x", "/w/\0", `/w/${"a".repeat(300)}`].map((path) => ({
    args: ["gcc", "-c", "a.c"],
    dependencies: { "/w/a.c": sha1(source), [path]: sha1(source) },
  })),
  { args: ["gcc", "-c", "a.c"], dependencies: { "/w/a.c": "../../etc/passwd" } },
  { args: ["gcc", "-c", "a.c"], dependencies: { "/w/a.c": "0".repeat(40) } }, // another file than it said
  { ...gcc(), more: { target: "../../../w/x" } },
  { ...gcc(), more: { target: "-fplugin=./x.so" } },
  { ...gcc(), more: { compression: "gzip" } },
  { ...gcc(), more: { docker_container: "../x" } },
  { ...gcc(), more: { schroot_profile: "--directory=/" } },
  { ...gcc(), more: { args: "gcc" } },
  { ...gcc(), more: { dependencies: [] } },
];

const lzoBomb = Buffer.concat([Buffer.from([0xf0, 0xff, 0xff, 0xff, 0xff]), Buffer.alloc(1000)]);

for (const executor of ["namespace", "mapped"] as const) {
  void suite(executor, () => {
    let server: Server;

    before(async () => {
      server = await startServer({ executor });
    });

    after(() => server.stop());

    test("what is refused to others is refused to 1.x", async () => {
      for (const asked of refused) {
        const said = await ask(server.port, asked);
        assert.ok(!compiled(said), `${JSON.stringify(asked).slice(0, 300)}: ${said.slice(0, 300)}`);
      }
      const good = await ask(server.port, gcc());
      assert.ok(compiled(good), good);
      recordHostileRequest(`a command, path or message over the protocol of homcc 1.x (${executor})`, {
        tried: refused.length,
        refused: refused.length,
      });
    });

    test("the SHA-1 of another client's file gives nobody the file", async () => {
      const secret = Buffer.from('static const char key[] = "the private key";\n');
      const own = Buffer.from('#include "k.h"\nconst char *k(void) { return key; }\n');
      const dependencies = { "/w/a.c": sha1(own), "/w/k.h": sha1(secret) };
      const contents = new Map([own, secret].map((bytes) => [sha1(bytes), bytes]));
      const victim = await ask(server.port, { ...gcc(), dependencies, contents });
      assert.ok(compiled(victim) && victim.includes("the private key"), victim);
      const thief = { ...gcc(), dependencies, contents: new Map([[sha1(own), own]]) };
      const said = await ask(server.port, { ...thief, from: "127.0.0.2" });
      assert.ok(said.includes(sha1(secret)), "is asked for it");
      assert.ok(!compiled(said) && !said.includes("the private key"), said);
      const again = await ask(server.port, { ...gcc(), dependencies, contents: new Map() });
      assert.ok(compiled(again), "who sent it is not asked again");
      recordHostileRequest(`a file of another client by its digest (homcc 1.x, ${executor})`, {
        tried: 1,
        refused: 1,
      });
    });

    test("a payload that says it is larger than it can be ends its connection alone", async () => {
      const bomb = { "/w/a.c": sha1(Buffer.from("never sent")) };
      const said = await ask(server.port, {
        ...gcc(),
        dependencies: bomb,
        answer: lzoBomb,
        more: { compression: "lzo" },
      });
      assert.ok(!compiled(said), said);
      assert.ok(compiled(await ask(server.port, gcc())));
      recordHostileRequest(`a decompression bomb (homcc 1.x, ${executor})`, { tried: 1, refused: 1 });
    });

    test("a bomb of xz ends early", async (t) => {
      if (!meets(t, { program: "xz" })) return;
      const zeros = Buffer.alloc(64 << 20);
      const stream = execFileSync(xz, ["--compress", "--stdout"], { input: zeros, maxBuffer: 1 << 20 });
      // 10 GB, in streams one behind the other.
      const answer = Buffer.concat(Array.from({ length: 160 }, () => stream));
      const dependencies = { "/w/a.c": sha1(Buffer.from("never sent either")) };
      const said = await ask(server.port, { ...gcc(), dependencies, answer, more: { compression: "lzma" } });
      assert.ok(!compiled(said), said);
      assert.ok(compiled(await ask(server.port, gcc())));
      const peakKiB = Number(
        /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "latin1"))?.[1],
      );
      assert.ok(peakKiB < 600 << 10, `homccd has taken ${peakKiB} KiB`);
      recordHostileRequest(`a bomb of xz (homcc 1.x, ${executor})`, { tried: 1, refused: 1 });
    });
  });
}
