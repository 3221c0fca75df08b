import type { Action } from "@homcc/cas/action";
import type { FileDigests } from "@homcc/inputs/file-digests";

const clockMacros = ["__DATE__", "__TIME__"];

/** Whether an input names a macro that the compiler's clock decides; not with SOURCE_DATE_EPOCH, which takes its place. */
export async function asksForTime(
  { inputs, environment }: Pick<Action, "inputs" | "environment">,
  digests: Pick<FileDigests, "read">,
): Promise<boolean> {
  if ((environment["SOURCE_DATE_EPOCH"] ?? "") !== "") return false;
  for (const entry of inputs) {
    if (entry.kind !== "file") continue;
    const file = await digests.read(entry);
    const text = file === undefined ? undefined : Buffer.from(file.bytes);
    if (text !== undefined && clockMacros.some((macro) => text.includes(macro))) return true;
  }
  return false;
}
