import type { BlobStore } from "@homcc/cas/blob-store";
import type { Logger } from "@homcc/observability/log";
import type { Door } from "./door.ts";
import type { SharedFolder } from "./shared-folder.ts";

/** What entering a sandbox needs of homccd. */
export interface EntryOptions {
  /** Jobs may run in namespaces of their own. */
  readonly namespaces: boolean;
  /** Open where homccd may enter containers. */
  readonly door: Door | undefined;
  readonly runnerProgram: string;
  /** In the store: sessions of jobs in namespaces lie below it. */
  readonly folder: string;
  readonly shared: SharedFolder;
  readonly blobs: BlobStore;
  /** No job starts with less room on the store's disk. */
  readonly startFreeBytes: number;
  /** Of the programs `schroot` and `docker`. */
  readonly variables: Readonly<Record<string, string>>;
  readonly logger: Logger;
}
