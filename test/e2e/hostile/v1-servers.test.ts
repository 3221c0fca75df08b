/** A server of homcc 1.x that lies: the same object, nothing else written or read out, and an agent that stays small. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { agentsOf } from "../../support/processes.ts";
import { recordHostileRequest } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startStrangeV1Server } from "../../support/strange-v1-server.ts";
import { v1Bytes } from "../../support/v1-conversation.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const absurd = `\u001B]0;title\u0007\u001B[2J${"long ".repeat(10_000)}`;
const secret = "the private key\n";
/** Of xz-utils. */
const xz = "xz";

let workplace: Workplace;
let object = "";

before(async () => {
  workplace = await createWorkplace({ forbidLocal: false });
  object = join(workplace.project, "a.o");
  await mkdir(join(workplace.folder, "home/.ssh"));
  await writeFile(join(workplace.folder, "home/.ssh/id_rsa"), secret);
  await writeFile(join(workplace.project, "a.c"), "int a;\n");
  const plain = await workplace.run(["gcc", "-c", join(workplace.project, "a.c"), "-o", "a.o"]);
  assert.equal(plain.status, 0, plain.stderr);
  await rename(object, join(workplace.project, "plain.o"));
});

after(() => workplace[Symbol.asyncDispose]());

function message(
  type: string,
  members: Readonly<Record<string, unknown>>,
  ...payloads: Uint8Array[]
): Buffer {
  const json = JSON.stringify({ message_type: type, ...members });
  return v1Bytes(json.replace('"message_type":', '"message_type": '), Buffer.concat(payloads));
}

function result(members: Readonly<Record<string, unknown>>, ...payloads: Uint8Array[]): Buffer {
  const honest = { files: [], stdout: "", stderr: "", return_code: 0, compression: "no_compression" };
  return message("CompilationResultMessage", { ...honest, ...members }, ...payloads);
}

const evil = Buffer.from("evil\n");
const evilFile = (filename: string): Buffer =>
  result(
    {
      files: [
        { filename: object, size: evil.length },
        { filename, size: evil.length },
      ],
    },
    evil,
    evil,
  );

/** So many GB of zeros, in streams one behind the other. */
function xzBomb(gigabytes: number): Buffer {
  const one = execFileSync(xz, ["-6", "--compress", "--stdout"], {
    input: Buffer.alloc(64 << 20),
    maxBuffer: 1 << 20,
  });
  return Buffer.concat(Array.from({ length: gigabytes * 16 }, () => one));
}

/** Matches of the greatest length that LZO1X has: 255 bytes for each of its own. */
const lzoBomb = Buffer.concat([
  Buffer.from([0xf0, 0xff, 0xff, 0xff, 0xff, 18, 0]),
  Buffer.from([32]),
  Buffer.alloc(17 << 20),
]);

const packed = (compression: string, bytes: Buffer): Buffer =>
  result({ compression, files: [{ filename: object, size: bytes.length }] }, bytes);

const answers: readonly (readonly [string, () => Buffer])[] = [
  ["another file", () => evilFile(join(workplace.folder, "home/.bashrc"))],
  ["a file by climbing", () => evilFile(`${workplace.project}/../home/.bashrc`)],
  ["a relative file", () => evilFile("../home/.bashrc")],
  ["the source", () => evilFile(join(workplace.project, "a.c"))],
  ["a name that terminals obey", () => evilFile("/tmp/\u001B[31m\u0007")],
  ["no object", () => result({})],
  ["another object", () => result({ files: [{ filename: join(workplace.project, "b.o"), size: 5 }] }, evil)],
  ["a payload that is no LZO", () => packed("lzo", randomBytes(1000))],
  ["a bomb of LZO", () => packed("lzo", lzoBomb)],
  ["a payload that is no xz", () => packed("lzma", randomBytes(1000))],
  ["a bomb of xz", () => packed("lzma", xzBomb(10))],
  ["a compression that is none", () => packed("gzip", evil)],
  [
    "payloads of 512 MB that never come",
    () => result({ files: [{ filename: object, size: 512 << 20 }] }, evil),
  ],
  [
    "payloads of 100 GB",
    () => result({ files: Array.from({ length: 200 }, () => ({ filename: object, size: 512 << 20 })) }),
  ],
  ["a message of 4 GB", () => Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])],
  [
    "the SHA-1 of a key",
    () => message("DependencyRequestMessage", { sha1sum: createHash("sha1").update(secret).digest("hex") }),
  ],
  ["a path for a SHA-1", () => message("DependencyRequestMessage", { sha1sum: "/etc/passwd" })],
  ["a refusal", () => message("ConnectionRefusedMessage", { info: absurd })],
  ["a word that compiling is to be done elsewhere", () => result({ return_code: 75, stderr: absurd })],
  ["a status that is none", () => result({ return_code: 1e6 })],
];

for (const [name, answer] of answers) {
  test(name, async (t) => {
    if (!meets(t, { program: "xz" })) return;
    await using server = await startStrangeV1Server(answer());
    const environment = workplace.environment({
      HOMCC_HOSTS: `127.0.0.1:${server.port}/4`,
      HOMCC_VERBOSE: "1",
      HOMCC_COMPILATION_REQUEST_TIMEOUT: "20",
    });
    const words = ["gcc", "-c", join(workplace.project, "a.c"), "-o", "a.o"];
    const { status, stderr } = await workplace.run([homccProgram, ...words], { environment });
    assert.equal(status, 0, stderr);
    const said = Buffer.from(stderr, "latin1").toString();
    assert.ok(!/[^\P{Cc}\n\t]/u.test(said), JSON.stringify(said));
    assert.match(said, /Compiling locally instead!/);
    assert.ok(server.jobs() > 0, "nobody asked it");
    assert.ok((await readFile(object)).equals(await readFile(join(workplace.project, "plain.o"))));
    await rm(object);
    assert.deepEqual((await readdir(workplace.project)).toSorted(), ["a.c", "plain.o"]);
    assert.deepEqual(
      (await readdir(join(workplace.folder, "home"))).filter((entry) => entry !== ".distcc"),
      [".ssh"],
    );
    const [agent] = agentsOf(workplace.homccFolder);
    const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${agent?.pid}/status`, "latin1"))?.[1];
    assert.ok(Number(peak) < 700 << 10, `the agent has taken ${peak} KiB`);
    recordHostileRequest("a file, a payload or a bomb from a server of homcc 1.x", { tried: 1, refused: 1 });
  });
}
