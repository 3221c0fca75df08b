import type { Host } from "@homcc/config/hosts";
import type { LoadedSettings } from "@homcc/config/load";
import { optionsOf } from "@homcc/config/options";
import { describeProblem } from "@homcc/config/problem";
import { describeError, exitStatusOf } from "@homcc/observability/error";
import { clientLine } from "@homcc/observability/log";

export interface Shown {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `--show-hosts`: every well-formed host, one a line, as configured; behind a pool, as a comment, who is in it. */
export function showHosts(loaded: LoadedSettings): Shown {
  return showOrFail(
    loaded,
    loaded.hostLines.length > 0,
    loaded.hostLines.map((line) => `${line}${membersComment(line, loaded)}\n`).join(""),
  );
}

function membersComment(line: string, { hosts, pools }: LoadedSettings): string {
  if (!pools.some(({ text }) => text === line)) return "";
  const members = hosts.flatMap(({ name, port, pool, text }) =>
    pool !== undefined && text === line ? [`${name}:${port}`] : [],
  );
  return ` # ${members.length === 0 ? "no servers known" : members.join(" ")}`;
}

/**
 * `-j`: the sum of the limits, `localhost` included when a line names it. Of a pool the servers with the best priority count: the others
 * get jobs when none of those can be reached.
 */
export function showConcurrency(loaded: LoadedSettings, why: readonly string[] = []): Shown {
  const local = loaded.localhost.configured ? loaded.localhost.limit : 0;
  const total = loaded.hosts
    .filter((host) => isFirstChoice(host, loaded.hosts))
    .reduce((sum, { limit }) => sum + limit, local);
  return showOrFail(loaded, total > 0, `${total}\n`, why);
}

function isFirstChoice({ pool }: Host, hosts: readonly Host[]): boolean {
  if (pool === undefined) return true;
  return !hosts.some((other) => other.pool?.name === pool.name && other.pool.priority < pool.priority);
}

/** `--show-variables`: those of homcc's variables that are set, in the order of the table. */
export function showVariables(environment: Readonly<Record<string, string>>): Shown {
  const names = optionsOf("homcc").flatMap(([, option]) => option.variables);
  const lines = names.flatMap((name) => {
    const text = environment[name] ?? "";
    return text === "" ? [] : [`${name}: ${text}\n`];
  });
  return { status: 0, stdout: lines.join(""), stderr: "" };
}

function showOrFail(
  loaded: LoadedSettings,
  found: boolean,
  stdout: string,
  why: readonly string[] = [],
): Shown {
  const problems = loaded.problems.map((problem) => clientLine("WARNING", describeProblem(problem)));
  if (found) return { status: 0, stdout, stderr: joinLines(problems) };
  const otherwise = why.length > 0 ? why.join("; ") : "none of the hosts has a limit above 0";
  const whyNone = describeError(loaded.noHosts ?? otherwise);
  const error = clientLine("ERROR", whyNone);
  return {
    status: exitStatusOf.ERR_HOMCC_NO_HOSTS ?? 1,
    stdout: "",
    stderr: joinLines([...problems, error]),
  };
}

function joinLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
