import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { HomccError } from "@homcc/observability/error";
import { giveToFolderOwner, makeOpenFolder, writeWhole } from "./private-file.ts";

/** Beside the pool's key: one line a revocation, `NAME UNTIL`. Lines may be added, in any order, from other servers' files. */
export const revocationFile = "revoked";

const opening = `# Clients that homccd refuses: a name, and until when pairings must have been made to be refused. A running
# homccd reads this file again whenever it changes. Every server of a pool needs its own.
`;

/** So much may the clock of another server of the pool, which made the pairing, be ahead. */
const clockMarginMs = 24 * 3_600_000;

/** Who is refused by name, and the newest of its pairings that is. A later one is good. */
export class Revocations {
  readonly #untilMs: ReadonlyMap<string, number>;
  /** False where the list cannot be read: whoever it names must not get in for that. */
  readonly areKnown: boolean;

  private constructor(untilMs: ReadonlyMap<string, number>, areKnown = true) {
    this.#untilMs = untilMs;
    this.areKnown = areKnown;
  }

  /** Everybody may be in it. */
  static unknown(): Revocations {
    return new Revocations(new Map(), false);
  }

  /** A line that cannot be understood revokes its first word for good: rather one too many. */
  static parse(text: string): Revocations {
    const untilMs = new Map<string, number>();
    for (const line of text.split("\n")) {
      const [name = "", until = ""] = line.replace(/#.*/, "").trim().split(/\s+/);
      if (name === "") continue;
      const ms = Date.parse(until);
      untilMs.set(name, Math.max(untilMs.get(name) ?? -Infinity, Number.isNaN(ms) ? Infinity : ms));
    }
    return new Revocations(untilMs);
  }

  static async read(folder: string): Promise<Revocations> {
    try {
      return Revocations.parse(await readFile(join(folder, revocationFile), "utf8"));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return Revocations.parse("");
      throw new HomccError(
        "ERR_HOMCC_CONFIGURATION",
        `${join(folder, revocationFile)}, who is revoked, cannot be read`,
        {
          hint: "it is a text that belongs to the account that starts homccd; nothing is done until it can be read",
          cause: error,
        },
      );
    }
  }

  includes(name: string, issuedMs: number): boolean {
    return !this.areKnown || issuedMs <= (this.#untilMs.get(name) ?? -Infinity);
  }

  /** For a new pairing: now, or just after what is revoked. `undefined`: the name is revoked for good. */
  nextIssuedMs(name: string, nowMs: number): number | undefined {
    const untilMs = this.#untilMs.get(name) ?? -Infinity;
    return untilMs === Infinity ? undefined : Math.max(nowMs, untilMs + 1);
  }
}

/** Revokes every pairing of a name so far. One write at the end of the file: two at once lose nothing. */
export async function revoke(
  folder: string,
  name: string,
  nowMs: number,
  latestIssuedMs = 0,
): Promise<string> {
  const path = join(folder, revocationFile);
  const until = new Date(Math.max(nowMs + clockMarginMs, latestIssuedMs)).toISOString();
  await makeOpenFolder(folder);
  await writeWhole(path, opening, { mode: 0o644, exclusive: true });
  // A file that somebody edited may lack the end of its last line.
  await appendFile(path, `\n${name} ${until}\n`, { flush: true });
  await giveToFolderOwner(path, folder);
  return path;
}
