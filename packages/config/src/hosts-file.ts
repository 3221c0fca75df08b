import { join } from "node:path";
import type { FileReader } from "./files.ts";
import { unreadable } from "./homcc-conf.ts";
import { type AccessSettings, type ParsedHosts, parseHosts } from "./hosts.ts";
import type { Problem } from "./problem.ts";

export interface HostsCall {
  /** Value of `--host`. */
  readonly host: string | undefined;
  /** Value of `HOMCC_HOSTS`; empty counts as absent. */
  readonly variable: string;
  readonly folders: readonly string[];
  readonly files: FileReader;
  /** For hosts with an `@`, `key=` or `tls`. */
  readonly access: AccessSettings;
}

/** `--host` alone, else `HOMCC_HOSTS`, else the first file `hosts` that is not empty. */
export async function readHosts(call: HostsCall): Promise<ParsedHosts> {
  if (call.host !== undefined) return parseHosts(call.host, "--host", call.access);
  if (call.variable.trim() !== "") return parseHosts(call.variable, "HOMCC_HOSTS", call.access);
  const problems: Problem[] = [];
  for (const folder of call.folders) {
    const path = join(folder, "hosts");
    const reading = await call.files.read(path);
    if (reading.kind === "unreadable") {
      problems.push(unreadable(path, reading.reason));
    } else if (reading.kind === "text" && reading.text.trim() === "") {
      problems.push({
        severity: "warning",
        source: path,
        message: "the file is empty",
        hint: "it is skipped",
      });
    } else if (reading.kind === "text") {
      const parsed = parseHosts(reading.text, path, call.access);
      return { ...parsed, problems: [...problems, ...parsed.problems] };
    }
  }
  return { hosts: [], pools: [], localhostLimit: undefined, hostLines: [], problems };
}
