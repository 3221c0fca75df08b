import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolders } from "@homcc/launch/make-folders";
import type { LaunchRequest } from "@homcc/launch/messages";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { type DebuggedJob, debugName, renderJob, renderPhases } from "./debug-text.ts";
import type { JobRecord } from "./job-log.ts";
import type { JobTrace } from "./job-trace.ts";

/**
 * The folder that HOMCC_DEBUG_DIR names, where each job leaves two texts: `jobs/NAME`, which is equal in equal builds, and
 * `phases/NAME`, which never is. What cannot be written is said in the log and disturbs no build.
 */
export class DebugFolder {
  readonly #folder: string | undefined;
  readonly #logger: Logger;

  /** `folder` is absolute; `undefined` for a job that leaves nothing. */
  constructor(folder: string | undefined, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** Before the launcher ends, so that a build that has ended has left all of its texts. */
  async writeJob(job: DebuggedJob): Promise<void> {
    await this.#write("jobs", job.request, () => renderJob(job));
  }

  async writePhases(
    request: Pick<LaunchRequest, "argv" | "cwd">,
    record: JobRecord,
    trace: JobTrace,
  ): Promise<void> {
    await this.#write("phases", request, () => renderPhases(record, trace));
  }

  /** By rename: of two jobs with the same command at once one leaves its text whole. */
  async #write(
    part: string,
    request: Pick<LaunchRequest, "argv" | "cwd">,
    render: () => string,
  ): Promise<void> {
    if (this.#folder === undefined) return;
    const name = debugName(request);
    const folder = join(this.#folder, part);
    const temporaryPath = join(folder, `.${name}.${process.hrtime.bigint()}`);
    try {
      makeFolders(folder, 0o777);
      await writeFile(temporaryPath, render());
      await rename(temporaryPath, join(folder, name));
    } catch (error) {
      this.#logger.warning(`HOMCC_DEBUG_DIR: ${describeError(error)}`);
    }
  }
}
