import { chmodSync, existsSync, lstatSync, statSync } from "node:fs";
import { makeFolders } from "./make-folders.ts";

export interface LaunchPaths {
  /** Private to the user; holds the lock and, where its name fits, the socket. */
  readonly folder: string;
  /** `folder`, or the folder of a socket whose name would have been too long. */
  readonly socketFolder: string;
  readonly socketPath: string;
  /** flock(2) on it is the right to start an agent. */
  readonly lockPath: string;
  /** `folder`, or where the user's programs keep what outlives a restart. */
  readonly logFolder: string;
  /** Output of the agent. */
  readonly logPath: string;
}

/** sun_path has 108 bytes; some systems have 104, and a NUL belongs to it. */
const maxSocketPathBytes = 100;

/**
 * Where launcher and agent of this user meet. The native launcher has the same rules (`set_paths`):
 * `$HOMCC_DIR/run`, else `$XDG_RUNTIME_DIR/homcc` if that folder is the user's own, else `/tmp/homcc-UID`.
 * The log lies there too when HOMCC_DIR is set, else in `$XDG_STATE_HOME/homcc` or `~/.local/state/homcc`.
 */
export function launchPaths(
  environment: Readonly<Record<string, string | undefined>>,
  uid: number,
  cwd: string,
): LaunchPaths {
  const runtimeFolder = runtimeFolderOf(environment, uid);
  const homccFolder = homccFolderOf(environment, cwd);
  const folder = homccFolder === undefined ? runtimeFolder : `${homccFolder}/run`;
  const { socketFolder, socketPath } = placeSocket(folder, runtimeFolder, uid);
  const logFolder = homccFolder === undefined ? (stateFolderOf(environment, uid) ?? folder) : folder;
  return {
    folder,
    socketFolder,
    socketPath,
    lockPath: `${folder}/agent.lock`,
    logFolder,
    logPath: `${logFolder}/agent.log`,
  };
}

/** `$HOMCC_DIR` as an absolute path; `undefined` when unset or empty. */
function homccFolderOf(
  environment: Readonly<Record<string, string | undefined>>,
  cwd: string,
): string | undefined {
  const folder = environment["HOMCC_DIR"];
  if (folder === undefined || folder === "") return undefined;
  return folder.startsWith("/") ? folder : `${cwd}/${folder}`;
}

function runtimeFolderOf(environment: Readonly<Record<string, string | undefined>>, uid: number): string {
  const folder = environment["XDG_RUNTIME_DIR"];
  // Kept by `sudo -E` and `su`, it names another user's folder.
  if (folder !== undefined && folder.startsWith("/") && ownsFolder(folder, uid)) return `${folder}/homcc`;
  return `/tmp/homcc-${uid}`;
}

/**
 * Only in a folder of the user's own: kept by `sudo -E`, the variables name another user's, where root would leave a
 * folder that this user can never write to.
 */
function stateFolderOf(
  environment: Readonly<Record<string, string | undefined>>,
  uid: number,
): string | undefined {
  const stateHome = environment["XDG_STATE_HOME"] ?? "";
  if (stateHome.startsWith("/")) {
    return ownsFolder(stateHome, uid) || !existsSync(stateHome) ? `${stateHome}/homcc` : undefined;
  }
  const home = environment["HOME"] ?? "";
  return home.startsWith("/") && ownsFolder(home, uid) ? `${home}/.local/state/homcc` : undefined;
}

function ownsFolder(path: string, uid: number): boolean {
  try {
    const status = statSync(path);
    return status.isDirectory() && status.uid === uid;
  } catch {
    return false;
  }
}

function placeSocket(
  folder: string,
  runtimeFolder: string,
  uid: number,
): Pick<LaunchPaths, "socketFolder" | "socketPath"> {
  const socketPath = `${folder}/agent.sock`;
  if (Buffer.byteLength(socketPath) <= maxSocketPathBytes) return { socketFolder: folder, socketPath };
  for (const socketFolder of [runtimeFolder, `/tmp/homcc-${uid}`]) {
    const shortPath = `${socketFolder}/${nameHash(folder)}.sock`;
    if (Buffer.byteLength(shortPath) <= maxSocketPathBytes) return { socketFolder, socketPath: shortPath };
  }
  throw new Error("a user id of more than 60 digits");
}

/** FNV-1a, 64 bits, 16 hex digits: short enough to have it twice, in C and here. Nothing secret hangs on it. */
function nameHash(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash.toString(16).padStart(16, "0");
}

/** True when nobody but the user can put a socket or a log there. */
export function isPrivateFolder(path: string, uid: number): boolean {
  const mode = ownFolderMode(path, uid);
  return mode !== undefined && (mode & 0o077) === 0;
}

/** Makes the folder private, and makes it and what is missing above it. False when it cannot be had. */
export function preparePrivateFolder(path: string, uid: number): boolean {
  try {
    makeFolders(path, 0o700);
    if (ownFolderMode(path, uid) === undefined) return false;
    if (!isPrivateFolder(path, uid)) chmodSync(path, 0o700);
    return true;
  } catch {
    return false;
  }
}

/** Not through a symbolic link: in /tmp somebody else could have made it. */
function ownFolderMode(path: string, uid: number): number | undefined {
  try {
    const status = lstatSync(path);
    return status.isDirectory() && status.uid === uid ? status.mode : undefined;
  } catch {
    return undefined;
  }
}
