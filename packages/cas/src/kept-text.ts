import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { errnoOf } from "./errno.ts";

/*
 * Texts that are kept for the next process, and that it may lose: what is in them is found out anew. Nothing about such a file ends a
 * program; but whoever wonders where his results are finds a line in the log, one for each file.
 */

/** A file that gets better and worse again by the minute is told of once. */
const told = new Set<string>();

/** "" where there is none, and where it cannot be read. */
export async function keptText(
  path: string,
  logger: Logger,
  encoding: "utf8" | "latin1" = "utf8",
): Promise<string> {
  try {
    return await readFile(path, encoding);
  } catch (error) {
    return nothing(path, error, logger);
  }
}

/** The same at once, for what is small. */
export function keptTextNow(path: string, logger: Logger): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return nothing(path, error, logger);
  }
}

/** For a text that is no text of the reader's: a newer version's, or a damaged one. */
export function notUnderstood(path: string, logger: Logger): void {
  tell(path, "is of another version, or damaged: nothing of it is used", logger);
}

/** A value that JSON has, `undefined` for a text that is none; "" is nothing to tell of. */
export function keptJson(path: string, text: string, logger: Logger): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    notUnderstood(path, logger);
    return undefined;
  }
}

function nothing(path: string, error: unknown, logger: Logger): string {
  if (errnoOf(error) !== "ENOENT")
    tell(path, `cannot be read, and is not used: ${describeError(error)}`, logger);
  return "";
}

function tell(path: string, what: string, logger: Logger): void {
  const line = `${path} ${what}`;
  if (told.has(line)) return;
  told.add(line);
  logger.warning(line);
}
