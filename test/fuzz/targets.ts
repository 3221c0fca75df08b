import type { FuzzTarget } from "./target.ts";
import { configuration } from "./targets/configuration.ts";
import { deltas } from "./targets/deltas.ts";
import { dependencyFiles } from "./targets/dependency-files.ts";
import { directives } from "./targets/directives.ts";
import { frames } from "./targets/frames.ts";
import { greetings } from "./targets/greetings.ts";
import { history } from "./targets/history.ts";
import { hosts } from "./targets/hosts.ts";
import { keptFiles } from "./targets/kept-files.ts";
import { launchProtocol } from "./targets/launch-protocol.ts";
import { launcher } from "./targets/launcher.ts";
import { lzo } from "./targets/lzo.ts";
import { messages } from "./targets/messages.ts";
import { objects } from "./targets/objects.ts";
import { optionsOfClang, optionsOfGcc } from "./targets/options.ts";
import { packedRows } from "./targets/packed-rows.ts";
import { possession } from "./targets/possession.ts";
import { responseFiles } from "./targets/response-files.ts";
import { runner } from "./targets/runner.ts";
import { scannerTarget } from "./targets/scanner.ts";
import { serverCheck } from "./targets/server-check.ts";
import { shellWordsTarget } from "./targets/shell-words.ts";
import { v1Messages } from "./targets/v1-messages.ts";
import { zstd } from "./targets/zstd.ts";

/** In the order in which they run. */
export const targets: readonly FuzzTarget[] = [
  frames,
  messages,
  history,
  greetings,
  zstd,
  deltas,
  possession,
  launchProtocol,
  v1Messages,
  lzo,
  serverCheck,
  dependencyFiles,
  directives,
  hosts,
  keptFiles,
  packedRows,
  objects,
  scannerTarget,
  responseFiles,
  shellWordsTarget,
  configuration,
  optionsOfGcc,
  optionsOfClang,
  runner,
  launcher,
];

export function findTarget(name: string): FuzzTarget {
  const target = targets.find((one) => one.name === name);
  if (target === undefined)
    throw new Error(`no target ${name}; there are ${targets.map((one) => one.name).join(", ")}`);
  return target;
}
