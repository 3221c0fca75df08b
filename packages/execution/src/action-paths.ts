import type { Action, InputEntry } from "@homcc/cas/action";
import { HomccError } from "@homcc/observability/error";

/** Bind-mounted into every job's root from the server: nothing of the client's is laid out there. */
export const deviceFiles: readonly string[] = ["null", "zero", "full", "random", "urandom", "tty"].map(
  (name) => `/dev/${name}`,
);

const devices = new Set(deviceFiles);

export function isDevice(path: string): boolean {
  return devices.has(path);
}

/** Linux takes 4096 with the NUL; the layer's own folder comes before it. */
const maxPathBytes = 3072;
const maxEntries = 1_000_000;

/**
 * Refuses an action with a path that is not absolute and normalised. Everything that lays out files below a folder
 * relies on it: a `..` would leave the folder.
 */
export function checkActionPaths(action: Action): void {
  if (action.inputs.length + action.absent.length + action.outputs.length > maxEntries)
    refuse("too many paths", "");
  if (action.cwd !== "/") checkPath(action.cwd);
  for (const input of action.inputs) {
    if (checked.has(input)) continue;
    checkPath(input.path);
    if (input.kind === "symlink") checkLinkTarget(input.target);
    checked.add(input);
  }
  for (const path of action.absent) checkPath(path);
  for (const output of action.outputs) checkPath(output.path);
}

/** The entries of a session are the same objects in each of its jobs: 0.5 ms a job of 500 inputs otherwise. */
const checked = new WeakSet<InputEntry>();

const absolutePath = /^(?:\/[^/\0]+)+$/;
const dotComponent = /\/\.\.?(?:\/|$)/;
const longComponent = /[^/]{256}/;

function checkPath(path: string): void {
  if (!absolutePath.test(path) || dotComponent.test(path)) refuse("not an absolute, normalised path", path);
  if (path.length > maxPathBytes / 3 && Buffer.byteLength(path) > maxPathBytes) refuse("path too long", path);
  if (path.length > 255 && longComponent.test(path)) refuse("name too long", path);
  if (path === "/proc" || path.startsWith("/proc/")) refuse("/proc is the server's", path);
}

function checkLinkTarget(target: string): void {
  if (target === "" || target.includes("\0") || target.length > maxPathBytes) refuse("link target", target);
}

function refuse(what: string, path: string): never {
  throw new HomccError("ERR_HOMCC_REFUSED", `${what}: ${JSON.stringify(path.slice(0, 200))}`);
}
