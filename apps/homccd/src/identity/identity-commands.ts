import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ServerSettings } from "@homcc/config/settings";
import { clientNameAllowed, isClientName } from "@homcc/identity/client-name";
import { type ClientRecord, readRecords, recordPairing, removeRecord } from "@homcc/identity/client-records";
import { lifetimeAllowed, parseExpiry, timeText } from "@homcc/identity/lifetime";
import { makePairing } from "@homcc/identity/pairing";
import { encodePairingLine } from "@homcc/identity/pairing-line";
import { openPoolKey, readPoolKey } from "@homcc/identity/pool-key";
import { Revocations, revoke } from "@homcc/identity/revocations";
import { HomccError } from "@homcc/observability/error";
import { bytesText } from "@homcc/observability/quantities";
import { printable } from "@homcc/protocol/printable";
import {
  type ClientIdentity,
  identityKeyOf,
  identityOfKey,
  identityText,
} from "@homcc/transport/client-identity";
import { askStorage } from "../operations/storage-report.ts";
import { LastSeen } from "./last-seen.ts";
import { offeredHosts } from "./offered-hosts.ts";

type CommandSettings = Pick<
  ServerSettings,
  "identityFolder" | "store" | "addresses" | "port" | "limit" | "tlsClientAuthorities" | "accessLog"
>;

/** What a command prints. */
export interface Told {
  readonly stdout: string;
  /** For whoever types it; stdout may go elsewhere. */
  readonly stderr: string;
}

const identityCommands = ["pair", "clients", "revoke", "forget"] as const;
export type IdentityCommand = (typeof identityCommands)[number];

export const identityUsage: Readonly<Record<IdentityCommand, string>> = {
  pair: "homccd pair --name NAME [--expires TIME] [--host HOST]...",
  clients: "homccd clients",
  revoke: "homccd revoke NAME",
  forget: "homccd forget NAME",
};

export function identityCommandOf(word: string | undefined): IdentityCommand | undefined {
  return identityCommands.find((command) => command === word);
}

const defaultExpiry = "1y";

/** Changes files only: a homccd that runs watches them. Throws ERR_HOMCC_USAGE for words that it does not take. */
export async function runIdentityCommand(
  command: IdentityCommand,
  words: readonly string[],
  settings: CommandSettings,
  nowMs: number = Date.now(),
): Promise<Told> {
  switch (command) {
    case "pair":
      return await pair(parsePairWords(words), settings, nowMs);
    case "clients":
      if (words.length > 0) throw usage("clients");
      return await listClients(settings, nowMs);
    case "revoke":
      return await revokeClient(onlyName("revoke", words), settings, nowMs);
    case "forget":
      return await forgetClient(onlyName("forget", words), settings, nowMs);
  }
}

interface PairWords {
  readonly name: string;
  readonly expires: string;
  readonly hosts: readonly string[];
}

function parsePairWords(words: readonly string[]): PairWords {
  let values: { name?: string; expires?: string; host?: string[] };
  try {
    ({ values } = parseArgs({
      args: [...words],
      options: {
        name: { type: "string" },
        expires: { type: "string" },
        host: { type: "string", multiple: true },
      },
    }));
  } catch (cause) {
    throw usage("pair", cause);
  }
  const { name, expires = defaultExpiry, host: hosts = [] } = values;
  if (name === undefined) throw usage("pair");
  return { name: checkName(name), expires, hosts };
}

async function pair(
  { name, expires, hosts }: PairWords,
  settings: CommandSettings,
  nowMs: number,
): Promise<Told> {
  const { identityFolder } = settings;
  const expiresMs = parseExpiry(expires, nowMs);
  if (expiresMs === undefined) {
    throw new HomccError("ERR_HOMCC_USAGE", `--expires: '${expires}' is no time to come`, {
      hint: `allowed: ${lifetimeAllowed}`,
    });
  }
  const offered = await offeredHosts(hosts, settings);
  const isNew = (await readPoolKey(identityFolder)) === undefined;
  const pool = await openPoolKey(identityFolder, nowMs);
  const issuedMs = (await Revocations.read(identityFolder)).nextIssuedMs(name, nowMs);
  if (issuedMs === undefined) {
    throw new HomccError("ERR_HOMCC_USAGE", `${name} is revoked for good`, { hint: "choose another name" });
  }
  const pairing = makePairing(pool, { name, issuedMs, nowMs, expiresMs });
  await recordPairing(identityFolder, { name, issuedMs, madeMs: nowMs, expiresMs: pairing.expiresMs });
  const notes = [
    `${name} may use every server with the pool's key until ${timeText(pairing.expiresMs)}; it looks for ${offered.join(", ")}.`,
    "The line is a secret of its user, who runs homcc pair - and pastes it there.",
    ...(isNew ? ["The pool's key is new: a homccd that runs has to be started anew."] : []),
  ];
  return {
    stdout: `${encodePairingLine({ hosts: offered, pairing })}\n`,
    stderr: notes.map((note) => `${note}\n`).join(""),
  };
}

async function listClients({ identityFolder, store }: CommandSettings, nowMs: number): Promise<Told> {
  const records = await readRecords(identityFolder);
  const revocations = await Revocations.read(identityFolder);
  const seen = await new LastSeen(store).read();
  const report = await askStorage(store);
  const stored = new Map(report?.clients);
  const lastSeen = (name: string): string => {
    const seenMs = seen.get(name);
    return seenMs === undefined ? "-" : timeText(seenMs);
  };
  const bytesOf = (identity: ClientIdentity): string =>
    report === undefined ? "-" : storedText(stored.get(identityKeyOf(identity)) ?? 0, report.limitBytes);
  const rows = records.map((record) => {
    const { name, madeMs, expiresMs } = record;
    return [
      name,
      dayOf(madeMs),
      dayOf(expiresMs),
      stateOf(record, revocations, nowMs),
      lastSeen(name),
      bytesOf({ kind: "paired", name }),
    ];
  });
  const known = new Set(records.map(({ name }) => identityKeyOf({ kind: "paired", name })));
  for (const key of stored.keys()) {
    const identity = identityOfKey(key);
    if (identity === undefined || known.has(key)) continue;
    const seenText = identity.kind === "paired" ? lastSeen(identity.name) : "-";
    rows.push([printable(identityText(identity), 64), "-", "-", "-", seenText, bytesOf(identity)]);
  }
  const table = [["NAME", "MADE", "EXPIRES", "STATE", "LAST SEEN", "STORED"], ...rows];
  return {
    stdout: rows.length === 0 ? "" : `${aligned(table).join("\n")}\n`,
    stderr: [
      ...(records.length === 0 ? ["nobody was paired here (homccd pair --name NAME)\n"] : []),
      ...(report === undefined && rows.length > 0
        ? [`What is stored for whom a homccd knows that runs; none answers for ${store}.\n`]
        : []),
    ].join(""),
  };
}

/** Of a client, and how much it may have in a full store, where somebody has said it. */
function storedText(bytes: number, limitBytes: number | undefined): string {
  return limitBytes === undefined ? bytesText(bytes) : `${bytesText(bytes)} of ${bytesText(limitBytes)}`;
}

function stateOf(
  { name, issuedMs, expiresMs }: ClientRecord,
  revocations: Revocations,
  nowMs: number,
): string {
  if (revocations.includes(name, issuedMs)) return "revoked";
  return expiresMs < nowMs ? "expired" : "good";
}

async function revokeClient(
  name: string,
  { identityFolder, tlsClientAuthorities }: CommandSettings,
  nowMs: number,
): Promise<Told> {
  const records = (await readRecords(identityFolder)).filter((record) => record.name === name);
  const latestMs = Math.max(0, ...records.map(({ issuedMs }) => issuedMs));
  const path = await revoke(identityFolder, name, nowMs, latestMs);
  const isUnknown = records.length === 0 && tlsClientAuthorities === undefined;
  return {
    stdout: `${name} is refused from now on, and connections of ${name} to this server end.\n`,
    stderr: [
      ...(isUnknown ? [`Nobody of that name was paired here; is it written right?\n`] : []),
      `On each other server of the pool: homccd revoke ${name}, or add the last line of ${path} to the same file there.\n`,
    ].join(""),
  };
}

async function forgetClient(
  name: string,
  { identityFolder, store, accessLog }: CommandSettings,
  nowMs: number,
): Promise<Told> {
  const records = (await readRecords(identityFolder)).filter((record) => record.name === name);
  const revocations = await Revocations.read(identityFolder);
  const good = records.find((record) => stateOf(record, revocations, nowMs) === "good");
  if (good !== undefined) {
    throw new HomccError("ERR_HOMCC_USAGE", `${name} can still connect, until ${timeText(good.expiresMs)}`, {
      hint: `first: homccd revoke ${name}`,
    });
  }
  for (const record of records) await removeRecord(identityFolder, record);
  await new LastSeen(store).forget(name);
  return {
    stdout: `${name}: ${records.length} records of pairings, and when ${name} was here last, are removed.\n`,
    stderr: [
      `Kept: that ${name} is refused (${join(identityFolder, "revoked")}), which has to outlive every pairing of ${name}.\n`,
      ...(accessLog === undefined ? [] : [`Kept: what ${accessLog} says of jobs of ${name}.\n`]),
      `Kept: what the store has by its content; it counts for ${name} (homccd clients) until it goes with the oldest, or with the whole store.\n`,
    ].join(""),
  };
}

function onlyName(command: "revoke" | "forget", words: readonly string[]): string {
  const [name, ...others] = words;
  if (name === undefined || others.length > 0 || name.startsWith("-")) throw usage(command);
  return checkName(name);
}

function checkName(name: string): string {
  if (isClientName(name)) return name;
  throw new HomccError("ERR_HOMCC_USAGE", `'${name}' is no name for a client`, {
    hint: `allowed: ${clientNameAllowed}`,
  });
}

function usage(command: IdentityCommand, cause?: unknown): HomccError {
  const options = cause === undefined ? {} : { cause };
  return new HomccError("ERR_HOMCC_USAGE", `usage: ${identityUsage[command]}`, options);
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const width = (index: number): number => Math.max(...rows.map((row) => row[index]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(width(index)))
      .join("  ")
      .trimEnd(),
  );
}
