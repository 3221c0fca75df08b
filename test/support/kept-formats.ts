import { createHash } from "node:crypto";
import { lchownSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { noise } from "./noise.ts";

/** A kind of file that homccd or an agent keeps for the next one: a row of docs/kept-files.md. */
export interface KeptFormat {
  /** As the document names it. */
  readonly name: string;
  /** homccd's `--store`, its `--identity-dir`, or the agent's folder. */
  readonly place: "store" | "identity" | "agent";
  /** Its paths below the place. */
  readonly pattern: RegExp;
  /** What a later version could make of it; `undefined` where the name says what is in it. */
  readonly newer?: (ours: Buffer) => string;
  /** Removed and made anew at each start, or an output that nobody reads. */
  readonly isScratch?: true;
  /** Whoever finds that it cannot be used says so: in each case, or only where it cannot even be read. */
  readonly told?: "always" | "unreadable";
}

const digest = `${createHash("sha256").update("of the future").digest("hex")}/13`;
const json = (value: object): string => `${JSON.stringify(value)}\n`;

const rows = {
  blobs: { place: "store", pattern: /^blobs\/blobs\/..\/[0-9a-f]{64}-\d+$/ },
  "blobs/recency.log": {
    told: "always",
    place: "store",
    pattern: /^blobs\/recency\.log$/,
    newer: () => `homcc recency 2\n${digest} 1790000000\n`,
  },
  "blobs/owners.log": {
    told: "unreadable",
    place: "store",
    pattern: /^blobs\/owners\.log$/,
    newer: () => `homcc owners 2\n${digest} paired%3Aalice 1790000000\n`,
  },
  "result-index": { told: "always", place: "store", pattern: /^result-index$/, newer: indexOf },
  "sha1-index": { told: "always", place: "store", pattern: /^sha1-index$/, newer: indexOf },
  "toolchain-file-digests": {
    told: "always",
    place: "store",
    pattern: /^toolchain-file-digests$/,
    newer: digestsOf,
  },
  "toolchain-folders": {
    place: "store",
    pattern: /^toolchain-folders$/,
    newer: () => "[folders]\npath = /opt\n",
  },
  "toolchain-manifests": {
    place: "store",
    pattern: /^toolchain-manifests\/[0-9a-f]{64}-\d+$/,
  },
  toolchains: { place: "store", pattern: /^toolchains\//, isScratch: true },
  seen: { place: "store", pattern: /^seen\//, newer: () => json({ version: 2 }) },
  "runner, control, sessions, …": {
    place: "store",
    pattern:
      /^(?:runner|control|door|mapped|probes|results|sandboxes|sessions|v1-sessions|blobs\/(?:lock|incoming))/,
    isScratch: true,
  },
  "pool.pem": { place: "identity", pattern: /^pool\.pem$/, newer: pemOf },
  revoked: { place: "identity", pattern: /^revoked$/, newer: () => "[revoked]\nalice = 2030-01-01\n" },
  clients: {
    place: "identity",
    pattern: /^clients\/.*\.json$/,
    newer: () => json({ version: 2, client: { name: "alice" } }),
  },
  "results/blobs": { place: "agent", pattern: /^results\/blobs\/blobs\/..\/[0-9a-f]{64}-\d+$/ },
  "results/index": { told: "always", place: "agent", pattern: /^results\/index$/, newer: indexOf },
  "results/blobs/recency.log": {
    told: "always",
    place: "agent",
    pattern: /^results\/blobs\/recency\.log$/,
    newer: () => `homcc recency 2\n${digest} 1790000000\n`,
  },
  "results/blobs/owners.log": {
    told: "unreadable",
    place: "agent",
    pattern: /^results\/blobs\/owners\.log$/,
    newer: () => `homcc owners 2\n${digest} paired%3Aalice 1790000000\n`,
  },
  directives: {
    told: "unreadable",
    place: "agent",
    pattern: /^directives$/,
    newer: (ours) => ours.toString("latin1").replace("homcc directives 1.1", "homcc directives 2.9"),
  },
  "ledger.json": {
    told: "always",
    place: "agent",
    pattern: /^ledger\.json$/,
    newer: () => json({ version: 2, servers: { "office:3126": { timesHome: [0.1, "fast"] } } }),
  },
  "stats.json": {
    told: "always",
    place: "agent",
    pattern: /^stats\.json$/,
    newer: () => json({ version: 2, counts: [1] }),
  },
  outputs: {
    told: "always",
    place: "agent",
    pattern: /^outputs$/,
    newer: () => json({ version: 2, outputs: [] }),
  },
  "file-digests": { told: "always", place: "agent", pattern: /^file-digests$/, newer: digestsOf },
  "pools.json": {
    place: "agent",
    pattern: /^pools\.json$/,
    newer: () => json({ version: 2, pools: [{ name: "_homcc._tcp.example.com", port: 70_000 }] }),
  },
  "audit/findings.json": {
    told: "always",
    place: "agent",
    pattern: /^audit\/findings\.json$/,
    newer: () => json({ version: 2, findings: [{ at: "2030-01-01" }] }),
  },
  unfinished: { place: "agent", pattern: /^unfinished\//, newer: () => json({ version: 2 }) },
  "restored, locks, bundles": {
    place: "agent",
    pattern: /^(?:results\/(?:restored|blobs\/(?:lock|incoming))|audit\/)/,
    isScratch: true,
  },
} satisfies Record<string, Omit<KeptFormat, "name">>;

export const keptFormats: readonly KeptFormat[] = Object.entries(rows).map(([name, row]) => ({
  name,
  ...row,
}));

function indexOf(): string {
  return `homcc index 2\n${"ab".repeat(32)} ${digest} only=alice\n`;
}

function digestsOf(): string {
  return `2 xxh3 0123456789abcdef\n${json({ files: [] })}`;
}

function pemOf(): string {
  return "-----BEGIN HOMCC POOL 2-----\nAAAA\n-----END HOMCC POOL 2-----\n";
}

export const spoilings = ["of a newer version", "cut off", "of noise", "a folder", "unreadable"] as const;
export type Spoiling = (typeof spoilings)[number];

/** Makes of a file what another version, a crash or a mistake could have left. Root reads everything but a link to itself. */
export function spoil(path: string, spoiling: Spoiling, format: KeptFormat): void {
  const ours = readFileSync(path);
  switch (spoiling) {
    case "of a newer version":
      if (format.newer !== undefined) writeFileSync(path, format.newer(ours), "latin1");
      return;
    case "cut off":
      writeFileSync(path, ours.subarray(0, Math.floor(ours.byteLength / 2)));
      return;
    case "of noise":
      writeFileSync(path, noise(1000));
      return;
    case "a folder":
    case "unreadable": {
      const { uid, gid } = lstatSync(path);
      rmSync(path);
      if (spoiling === "a folder") mkdirSync(path);
      else symlinkSync(path, path);
      lchownSync(path, uid, gid);
      return;
    }
  }
}
