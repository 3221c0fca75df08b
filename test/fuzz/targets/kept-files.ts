import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, parseDigest } from "@homcc/cas/digest";
import { DigestIndex } from "@homcc/cas/digest-index";
import { readOwners } from "@homcc/cas/owner-log";
import { readRecency, recencyLog } from "@homcc/cas/recency-log";
import { LedgerFile } from "@homcc/homcc/records/ledger-file";
import { addToTallyFile, readTally } from "@homcc/homcc/records/tally-file";
import { emptyTally } from "@homcc/homcc/records/tally";
import { encodeRecord } from "@homcc/inputs/directive-file";
import { KeptDirectives } from "@homcc/inputs/kept-directives";
import { silentLogger } from "@homcc/observability/log";
import { decodeEntry, encodeEntry } from "@homcc/results/result-entry";
import type { Random } from "../random.ts";
import { type FuzzTarget, must, mustEqual } from "../target.ts";

/** Each reads a file that a crash, a full disk or another version left: content after the first byte, which says whose it is. */
const readers: readonly ((path: string, content: Buffer) => void | Promise<void>)[] = [
  readDirectives,
  readIndex,
  readOrder,
  readLedger,
  readCounts,
  readEntry,
  readWhose,
];
const keys = Array.from({ length: 4 }, (_, index) => digestOf(Buffer.from(`key ${index}`)));
const sha1s = keys.map((digest) => digest.slice(0, 40));

/** Files in which agent and server keep what they would otherwise find out again. */
export const keptFiles: FuzzTarget = {
  name: "kept-files",
  property: "a damaged file costs what it held, and never gives what nobody put into it",
  dictionary: ["\n", "\0", "null", "1e999", "-1", '"__proto__"', "homcc directives 1.", "{", "}", "[", "]"],
  generate: (random) => {
    const kind = random.below(readers.length);
    return Buffer.concat([Buffer.from([kind]), exampleOf(kind, random)]);
  },
  async check(input) {
    const read = readers[(input[0] ?? 0) % readers.length];
    const folder = mkdtempSync(join(tmpdir(), "homcc-fuzz-"));
    try {
      const path = join(folder, "kept");
      writeFileSync(path, input.subarray(1));
      await read?.(path, input.subarray(1));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function exampleOf(kind: number, random: Random): Buffer {
  const lines = (line: (index: number) => string): Buffer =>
    Buffer.from(random.many(0, 8, () => line(random.below(keys.length))).join(""));
  switch (kind) {
    case 0: {
      const records = random.many(0, 6, () => {
        const index = random.below(keys.length);
        return encodeRecord(`key-${index}`, listOf(index));
      });
      return Buffer.concat([Buffer.from("homcc directives 1.1\n"), ...records]);
    }
    case 1:
      return lines((index) => `${sha1s[index]} ${keys[index]}\n`);
    case 2:
      return lines((index) => `${keys[index]}\n`);
    case 3:
      return Buffer.from(
        JSON.stringify({
          version: 1,
          servers: [["a", { latencyMs: 3, slots: 4 }]],
          files: [["/a.c", { compileMs: 3 }]],
        }),
      );
    case 4:
      return Buffer.from(
        JSON.stringify({
          ...emptyTally(1),
          outcomes: { "compiled-remotely": { count: 1, wallMs: 2, details: {} } },
        }),
      );
    case 6:
      return lines((index) => `${keys[index]} paired%3A${index}\n`);
    default:
      return encodeEntry({
        kind: "result",
        stdout: digestOf(Buffer.from("")),
        stderr: digestOf(Buffer.from("e")),
        outputs: keys.map((digest, index) => ({ path: `/o${index}`, digest, mode: 0o644 })),
      });
  }
}

function listOf(index: number): Buffer {
  return Buffer.from(`list ${index} `.repeat(index + 1));
}

async function readDirectives(path: string): Promise<void> {
  const kept = new KeptDirectives(path);
  await kept.ready();
  for (const index of keys.keys()) {
    const list = kept.get(`key-${index}`);
    if (list !== undefined) mustEqual(`list ${index}`, list, listOf(index));
  }
  kept.put("new", Buffer.from("new list"));
  await kept.release();
  const again = new KeptDirectives(path);
  await again.ready();
  mustEqual("what was put after that", again.get("new"), Buffer.from("new list"));
  await again.release();
}

async function readIndex(path: string, content: Buffer): Promise<void> {
  const index = await DigestIndex.open(path, silentLogger);
  const text = content.toString("latin1");
  for (const key of sha1s) {
    const digest = index.get(key);
    must(
      digest === undefined || text.includes(`${key} ${digest}`),
      `${key} is ${digest}, which nobody wrote`,
    );
  }
  const [digest] = keys;
  if (digest === undefined) return;
  index.add("f".repeat(40), digest);
  await index.flush();
  const again = await DigestIndex.open(path, silentLogger);
  mustEqual("what was added after that", again.get("f".repeat(40)), digest);
}

async function readOrder(path: string): Promise<void> {
  const order = await readRecency(path, silentLogger);
  for (const digest of order) must(parseDigest(digest) !== undefined, digest);
  const log = recencyLog(path, { size: 1, digests: () => keys });
  for (const digest of keys) log.note(digest);
  await log.close();
  mustEqual(
    "the order that was written then",
    [...(await readRecency(path, silentLogger))].slice(-keys.length),
    keys,
  );
}

async function readWhose(path: string, content: Buffer): Promise<void> {
  const text = content.toString("latin1");
  for (const digest of (await readOwners(path, silentLogger)).keys())
    must(text.includes(`${digest} `), `${digest} is somebody's, which nobody wrote`);
}

function readLedger(path: string): void {
  const file = new LedgerFile(path, silentLogger);
  JSON.stringify(file.ledger.toText());
  file.save();
}

function readCounts(path: string): void {
  const tally = readTally(path);
  const sum = addToTallyFile(path, emptyTally(5), silentLogger);
  mustEqual("the counts", readTally(path), sum);
  for (const outcome of Object.values(tally?.outcomes ?? {}))
    must(Number.isFinite(outcome.count) && outcome.count >= 0, `a count of ${outcome.count}`);
}

function readEntry(_: string, content: Buffer): void {
  const entry = decodeEntry(content);
  if (entry !== undefined) mustEqual("the entry again", decodeEntry(encodeEntry(entry)), entry);
}
