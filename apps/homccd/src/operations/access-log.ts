import type { WriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { describeError, HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { JobRecord } from "./activity.ts";

/** What waits for a disk that does not take it; lines beyond it are left out and counted. */
const maxWaitingBytes = 1 << 20;

/**
 * One line of JSON for each job: who, what, when, what became of it. Names of sources are in it, nothing of their contents, no
 * command lines, no secrets.
 */
export class AccessLog {
  readonly #logger: Logger;
  #stream: WriteStream | undefined;
  #omitted = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Writes to `path` from now on, opened anew: the file may have been moved away. Rejects when it cannot be written to. */
  async open(path: string | undefined): Promise<void> {
    const stream = path === undefined ? undefined : await this.#streamTo(path);
    this.#stream?.end();
    this.#stream = stream;
  }

  write(record: JobRecord): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    if (stream.writableLength > maxWaitingBytes) {
      this.#omitted += 1;
      return;
    }
    if (this.#omitted > 0) stream.write(`${JSON.stringify({ time: record.time, omitted: this.#omitted })}\n`);
    this.#omitted = 0;
    stream.write(`${JSON.stringify(record)}\n`);
  }

  async close(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream === undefined || stream.closed) return;
    await new Promise<void>((resolve) => {
      stream.once("close", () => resolve());
      stream.end();
    });
  }

  /** Opened here, and not at the first line: that one belongs to the file that is there now. */
  async #streamTo(path: string): Promise<WriteStream> {
    try {
      const stream = (await open(path, "a", 0o640)).createWriteStream();
      stream.on("error", (error) => {
        this.#logger.warning(`the access log ${path} ends here: ${describeError(error)}`);
        if (this.#stream === stream) this.#stream = undefined;
      });
      return stream;
    } catch (cause) {
      throw new HomccError("ERR_HOMCC_CONFIGURATION", `the access log ${path} cannot be written`, {
        hint: "homccd's account has to be able to; name another file with access_log",
        cause,
      });
    }
  }
}
