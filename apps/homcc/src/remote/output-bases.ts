import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, read } from "node:fs";
import { extname } from "node:path";
import { promisify } from "node:util";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import { stampOf } from "@homcc/compiler/stamp";
import { isDeltaSized } from "@homcc/protocol/delta";
import type { HostId } from "@homcc/scheduler/host";
import { silentLogger, type Logger } from "@homcc/observability/log";
import { type KnownOutput, loadKnownOutputs, saveKnownOutputs } from "./known-outputs-file.ts";

/** 400 bytes each; a large project has 10,000 objects and as many dependency files. */
const maxOutputs = 32_768;

/** Each job of a build holds some; sockets and everything else need files too. */
const maxOpenFiles = 512;

/** Kinds of files and servers, each with its latest output. */
const maxLatest = 256;

/** Contents of outputs that outlive their files. */
export interface KeptOutputs {
  /** Cheap and at once; `undefined` for what is not there. */
  hold(digest: Digest): OutputBase | undefined;
}

/** What is on this machine and may be named to a server, which then says by it what a compiler wrote. */
export interface OutputBase extends Disposable {
  readonly digest: Digest;
  /** What the file has now: a compiler that replaces it does not matter, one that writes into it does. */
  read(): Promise<Uint8Array>;
}

/**
 * The outputs that this agent has written, by what their files looked like then: no file is hashed to find out whether it is
 * still the same. What a stamp misses, the digest of the result finds.
 */
export class OutputBases {
  /** Oldest first. */
  readonly #known = new Map<string, KnownOutput>();
  /** By server and kind of file: the newest output is mostly of the same library, and shares half of it. */
  readonly #latest = new Map<string, string>();

  readonly #file: string | undefined;
  readonly #kept: KeptOutputs | undefined;
  readonly #logger: Logger;
  #openFiles = 0;
  #state: "unread" | "saved" | "changed";

  /** `file`: where they are kept from one agent to the next. `kept`: for outputs whose files are gone or are others. */
  constructor(file?: string, kept?: KeptOutputs, logger: Logger = silentLogger) {
    this.#file = file;
    this.#logger = logger;
    this.#kept = kept;
    this.#state = file === undefined ? "saved" : "unread";
  }

  /**
   * The file at `path` has just been written with these contents, as `server` knows; without one they were made before, by
   * whichever knew the file so far.
   */
  note(server: HostId | undefined, path: string, digest: Digest): void {
    this.#load();
    const maker = server ?? this.#known.get(path)?.server;
    this.#state = "changed";
    this.#known.delete(path);
    if (maker === undefined || !isDeltaSized(1, sizeBytesOf(digest))) return;
    const stats = statsOf(path);
    if (stats?.isFile() !== true) return;
    this.#insert({ path, digest, stamp: stampOf(stats), server: maker });
  }

  /** Throws what the file system says. */
  save(): void {
    if (this.#file !== undefined && this.#state === "changed")
      saveKnownOutputs(this.#file, [...this.#known.values()]);
    if (this.#state === "changed") this.#state = "saved";
  }

  /**
   * What `path` has or had last, or else the latest output of its kind from that server. Dispose of it. `isOwnOnly` where bytes cost
   * less than time: another output saves a few per cent of them, and takes 3 ms for an object of 680 kB.
   */
  open(server: HostId, path: string, isOwnOnly = false): OutputBase | undefined {
    this.#load();
    const own = this.#open(path);
    if (own !== undefined || isOwnOnly) return own;
    const latest = this.#latest.get(kindOf(server, path));
    return latest === undefined || latest === path ? undefined : this.#open(latest);
  }

  /** By the first job, which an agent that only answers questions never has. */
  #load(): void {
    if (this.#state !== "unread" || this.#file === undefined) return;
    this.#state = "saved";
    for (const output of loadKnownOutputs(this.#file, this.#logger)) this.#insert(output);
  }

  #insert(output: KnownOutput): void {
    insert(this.#known, output.path, output, maxOutputs);
    insert(this.#latest, kindOf(output.server, output.path), output.path, maxLatest);
  }

  #open(path: string): OutputBase | undefined {
    const known = this.#known.get(path);
    return known === undefined ? undefined : (this.#openFile(known) ?? this.#kept?.hold(known.digest));
  }

  #openFile(known: KnownOutput): OutputBase | undefined {
    if (this.#openFiles >= maxOpenFiles) return undefined;
    // A file that is gone, as after `rm -rf build`: an exception costs 0.05 ms.
    if (statsOf(known.path) === undefined) return undefined;
    let file: number;
    try {
      file = openSync(known.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    } catch {
      // It is gone, or this process has too many files open.
      return undefined;
    }
    this.#openFiles += 1;
    let isOpen = true;
    const base = {
      digest: known.digest,
      read: () => readAll(file, sizeBytesOf(known.digest)),
      [Symbol.dispose]: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#openFiles -= 1;
        closeSync(file);
      },
    };
    if (stampOf(fstatSync(file, { bigint: true })) === known.stamp) return base;
    base[Symbol.dispose]();
    return undefined;
  }
}

function statsOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

const readFrom = promisify(read);

/** One byte more than there should be shows a file that has grown. */
async function readAll(file: number, sizeBytes: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes + 1);
  let filledBytes = 0;
  while (filledBytes < bytes.byteLength) {
    const { bytesRead } = await readFrom(
      file,
      bytes,
      filledBytes,
      bytes.byteLength - filledBytes,
      filledBytes,
    );
    if (bytesRead === 0) break;
    filledBytes += bytesRead;
  }
  return bytes.subarray(0, filledBytes);
}

function kindOf(server: string, path: string): string {
  return `${server} ${extname(path)}`;
}

function insert<Value>(map: Map<string, Value>, key: string, value: Value, maxSize: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= maxSize) break;
    map.delete(oldest);
  }
}
