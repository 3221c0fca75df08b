import { constants, readFileSync } from "node:fs";
import { copyFile, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { AuditSubject } from "./subject.ts";

/** A finished job that waits for its audit, with copies of what it made. */
export interface Candidate {
  readonly subject: AuditSubject;
  readonly folder: string;
  /** Audits of it that a build ended. */
  attempts: number;
}

const maxCandidates = 16;
const maxOutputBytes = 64 << 20;
const maxTextBytes = 1 << 20;

/** The queue of audits: bounded, the newest stay, because the inputs of the oldest have most likely changed. */
export class Candidates {
  readonly #folder: string;
  readonly #waiting: Candidate[] = [];
  #next = 1;
  #prepared: Promise<void> | undefined;

  /** `folder`: shared with other agents; each has a folder of its own in it, by its process. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Where this process keeps what its audits need. */
  get ownFolder(): string {
    return join(this.#folder, `agent-${process.pid}`);
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Copies the outputs while they are still what the server sent. `false`: too large to be kept. */
  async add(subject: AuditSubject): Promise<boolean> {
    const { stdout, stderr, produced } = subject.answer;
    if (stdout.byteLength + stderr.byteLength > maxTextBytes) return false;
    this.#prepared ??= removeLeftovers(this.#folder);
    await this.#prepared;
    const folder = join(this.ownFolder, `candidate-${this.#next++}`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      const kept: AuditSubject["answer"]["produced"][number][] = [];
      for (const [index, output] of produced.entries()) {
        if (output.kind === "removed") {
          kept.push(output);
          continue;
        }
        if ((await stat(output.file)).size > maxOutputBytes) {
          await rm(folder, { recursive: true, force: true });
          return false;
        }
        const file = join(folder, String(index));
        await copyFile(output.file, file, constants.COPYFILE_FICLONE);
        kept.push({ ...output, file });
      }
      const answer = { ...subject.answer, produced: kept };
      await this.putBack({ subject: { ...subject, answer }, folder, attempts: 0 });
      return true;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** The newest. */
  take(): Candidate | undefined {
    return this.#waiting.pop();
  }

  async putBack(candidate: Candidate): Promise<void> {
    this.#waiting.push(candidate);
    const oldest = this.#waiting.length > maxCandidates ? this.#waiting.shift() : undefined;
    if (oldest !== undefined) await this.drop(oldest);
  }

  /** What cannot be removed goes with `close`, or is the next agent's business. */
  async drop({ folder }: Candidate): Promise<void> {
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }

  async close(): Promise<void> {
    this.#waiting.length = 0;
    await rm(this.ownFolder, { recursive: true, force: true }).catch(() => {});
  }
}

/** What agents left behind that were killed. */
async function removeLeftovers(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder)) {
    const pid = Number(/^agent-(\d+)$/.exec(name)?.[1] ?? "0");
    if (pid > 0 && !isAlive(pid)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** A process that has ended and that nobody has waited for is none any more. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold anything.
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
