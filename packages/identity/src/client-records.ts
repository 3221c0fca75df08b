import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isCalendarMs } from "@homcc/observability/clock";
import { makePrivateFolder, writeWhole } from "./private-file.ts";

/** A pairing that was made on this machine. The servers do not need it: it is for `homccd clients`. */
export interface ClientRecord {
  readonly name: string;
  readonly issuedMs: number;
  readonly madeMs: number;
  readonly expiresMs: number;
}

const recordFolder = "clients";

export async function recordPairing(folder: string, record: ClientRecord): Promise<void> {
  const clients = join(folder, recordFolder);
  await makePrivateFolder(clients);
  const path = join(clients, `${record.name}.${record.issuedMs}.json`);
  await writeWhole(path, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}

/** By name, then by age. */
export async function readRecords(folder: string): Promise<ClientRecord[]> {
  const clients = join(folder, recordFolder);
  const names = await readdir(clients).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const records: ClientRecord[] = [];
  for (const name of names) {
    if (!name.endsWith(".json")) continue;
    // Of another version, or no file: whoever revokes a name must not be kept from it.
    const record = parseRecord(await readFile(join(clients, name), "utf8").catch(() => ""));
    if (record !== undefined) records.push(record);
  }
  return records.sort((a, b) => (a.name === b.name ? a.issuedMs - b.issuedMs : a.name < b.name ? -1 : 1));
}

export async function removeRecord(folder: string, { name, issuedMs }: ClientRecord): Promise<void> {
  await rm(join(folder, recordFolder, `${name}.${issuedMs}.json`), { force: true });
}

function parseRecord(text: string): ClientRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { name, issuedMs, madeMs, expiresMs }: Partial<Record<keyof ClientRecord, unknown>> = value;
  if (typeof name !== "string" || !isCalendarMs(issuedMs)) return undefined;
  if (!isCalendarMs(madeMs) || !isCalendarMs(expiresMs)) return undefined;
  return { name, issuedMs, madeMs, expiresMs };
}
