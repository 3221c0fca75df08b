import type { DiskBlobStore } from "@homcc/cas/disk-blob-store";
import { askHomccd } from "./control-socket.ts";

/** How much of a store counts for whom. */
export interface StorageReport {
  /** `max_storage_per_client`, where it is set. */
  readonly limitBytes?: number;
  /** By identity key; who has nothing is not in it. */
  readonly clients: readonly (readonly [string, number])[];
}

export function storageReport(
  store: Pick<DiskBlobStore, "clients" | "bytesOf">,
  limitBytes: number | undefined,
): StorageReport {
  const clients = store.clients().map((client) => [client, store.bytesOf(client)] as const);
  return { ...(limitBytes === undefined ? {} : { limitBytes }), clients };
}

/** What the homccd that runs with this store says; `undefined` where none does, or one that may not be asked or does not know. */
export async function askStorage(store: string): Promise<StorageReport | undefined> {
  try {
    const report: unknown = JSON.parse(await askHomccd(store, "storage", () => {}));
    return isReport(report) ? report : undefined;
  } catch {
    return undefined;
  }
}

function isReport(value: unknown): value is StorageReport {
  if (typeof value !== "object" || value === null) return false;
  const { limitBytes, clients }: Partial<Record<keyof StorageReport, unknown>> = value;
  if (limitBytes !== undefined && typeof limitBytes !== "number") return false;
  return Array.isArray(clients) && clients.every(isShare);
}

function isShare(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [client, bytes]: unknown[] = value;
  return typeof client === "string" && typeof bytes === "number";
}
