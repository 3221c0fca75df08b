import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import type { Random } from "../fuzz/random.ts";
import { homccProgram } from "../support/repository.ts";
import type { Workplace } from "../support/workplace.ts";

/** Sources that several clients have: their results are kept by the server. */
const sharedSources = 20;
const shareOfShared = 0.2;
const shareOfCancelled = 0.01;
const maxCancelDelayMs = 30;

/** EX_UNAVAILABLE: no server could be had, and nothing may be compiled at home. */
const unavailableStatus = 69;

/** `refused`: for a fault no server could be had. */
export type JobEnd = "right" | "cancelled" | "refused";

/** One developer: an agent of its own, one launcher after the other. */
export class SoakClient {
  readonly workplace: Workplace;
  readonly #driver: string;
  readonly #environment: Record<string, string>;
  readonly #name: number;
  #header = "";

  constructor(workplace: Workplace, name: number, driver: string, hosts: string) {
    this.workplace = workplace;
    this.#name = name;
    this.#driver = driver;
    this.#environment = workplace.environment({ HOMCC_HOSTS: hosts });
  }

  /** Compiles one more source and looks whether the object is the one that belongs to it. Throws when it is not. */
  async job(random: Random, number: number): Promise<JobEnd> {
    const { project } = this.workplace;
    if (this.#header === "" || random.chance(0.02)) await this.#editHeader(number);
    const isShared = random.chance(shareOfShared);
    const name = isShared ? `shared${random.below(sharedSources)}` : `own${this.#name}_${number}`;
    const text = `int ${name};\n`;
    await writeFile(join(project, "s.c"), `${text}#include "h.h"\n`);
    await rm(join(project, "s.o"), { force: true });
    const running = this.workplace.start([homccProgram, this.#driver, "-c", "s.c", "-o", "s.o"], {
      environment: this.#environment,
      timeoutMs: 120_000,
    });
    const isCancelled = random.chance(shareOfCancelled);
    if (isCancelled) {
      await sleep(random.below(maxCancelDelayMs));
      running.kill("SIGINT");
    }
    const { status, signal, stderr } = await running.finished;
    const object = await readFile(join(project, "s.o"), "utf8").catch(() => undefined);
    const isRight = object === text + this.#header;
    if (isCancelled && signal !== null) {
      if (object !== undefined && !isRight) throw new Error(`half an object: ${JSON.stringify(object)}`);
      return "cancelled";
    }
    if (status === unavailableStatus && object === undefined) return "refused";
    if (status !== 0 || !isRight) {
      const log = await readFile(this.workplace.jobLog, "latin1").catch(() => "");
      const record = log.split("\n").findLast((line) => line.includes(`"pid":${running.pid},`));
      throw new Error(
        `job ${number}: status ${status}, signal ${signal}, object ${JSON.stringify(object?.slice(0, 80))}: ${stderr} ${record ?? ""}`,
      );
    }
    return "right";
  }

  /** Where its jobs were done. */
  async places(): Promise<{ readonly remote: number; readonly home: number }> {
    const text = await readFile(this.workplace.jobLog, "utf8").catch(() => "");
    const records = text.split("\n").slice(0, -1).map(parseRecord);
    const remote = records.filter(({ host }) => host !== "" && host !== "localhost").length;
    return { remote, home: records.length - remote };
  }

  async #editHeader(number: number): Promise<void> {
    this.#header = `int header${this.#name}_${number};\n`;
    await writeFile(join(this.workplace.project, "h.h"), this.#header);
  }
}

function parseRecord(line: string): JobRecord {
  const record: JobRecord = JSON.parse(line);
  return record;
}
