import type { FuzzTarget } from "./target.ts";
import { deltas } from "./targets/deltas.ts";
import { frames } from "./targets/frames.ts";
import { greetings } from "./targets/greetings.ts";
import { history } from "./targets/history.ts";
import { launchProtocol } from "./targets/launch-protocol.ts";
import { lzo } from "./targets/lzo.ts";
import { messages } from "./targets/messages.ts";
import { optionsOfClang, optionsOfGcc } from "./targets/options.ts";
import { possession } from "./targets/possession.ts";
import { responseFiles } from "./targets/response-files.ts";
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
  responseFiles,
  optionsOfGcc,
  optionsOfClang,
];

export function findTarget(name: string): FuzzTarget {
  const target = targets.find((one) => one.name === name);
  if (target === undefined)
    throw new Error(`no target ${name}; there are ${targets.map((one) => one.name).join(", ")}`);
  return target;
}
