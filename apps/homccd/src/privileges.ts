import { chown, lchown, readFile, readdir, stat } from "node:fs/promises";
import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { HomccError } from "@homcc/observability/error";
import { makeStoreFolder, requireStore } from "./store-folder.ts";

/** An account of /etc/passwd. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Accounts tried when none is configured: a package creates `homcc`; every system has `nobody`. */
const defaultAccountNames = ["homcc", "nobody"];

/** The account that jobs and the daemon run as when it was started as root; `undefined` when it was not. */
export async function serviceAccount(configuredName: string | undefined): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = parseAccounts(await readFile("/etc/passwd", "utf8"));
  const names = configuredName === undefined ? defaultAccountNames : [configuredName];
  const account = names.map((name) => accounts.get(name)).find((found) => found !== undefined);
  if (account === undefined) {
    throw new HomccError("ERR_HOMCC_CONFIGURATION", `no account named ${names.join(" or ")}`, {
      hint: "create it with: adduser --system homcc, or name another one with user=",
    });
  }
  if (account.uid === 0) {
    throw new HomccError("ERR_HOMCC_CONFIGURATION", "jobs never run as root", {
      hint: "name an unprivileged account with user=",
    });
  }
  return account;
}

/** Gives the store and everything in it to the account, since only root may do that later. No other folder is given away. */
export async function handOver(folder: string, account: Account): Promise<void> {
  await makeStoreFolder(folder);
  const owner = await stat(folder);
  if (owner.uid === account.uid && owner.gid === account.gid) return;
  await requireStore(folder);
  for (const entry of await readdir(folder, { recursive: true })) {
    await lchown(join(folder, entry), account.uid, account.gid);
  }
  // Last, as it says that all of it is done: a start that was interrupted is made up for by the next one.
  await chown(folder, account.uid, account.gid);
}

/** Becomes the account, for good: there is no way back to root. */
export function becomeAccount(account: Account, storeFolder: string): void {
  // Its groups too: group `docker` is how an administrator lets it use containers.
  process.setgroups?.(groupsOf(account.name, readFileSync("/etc/group", "utf8")));
  process.setgid?.(account.gid);
  process.setuid?.(account.uid);
  try {
    accessSync(storeFolder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new HomccError(
      "ERR_HOMCC_CONFIGURATION",
      `account ${account.name} cannot use the store ${storeFolder}`,
      {
        hint: "every folder above the store must be searchable for it; choose another one with --store",
        cause,
      },
    );
  }
}

/** name:password:gid:member,member…, one group a line: the numbers of those that name the account. */
export function groupsOf(accountName: string, groupFile: string): number[] {
  return groupFile.split("\n").flatMap((line) => {
    const [, , gid = "", members = ""] = line.split(":");
    return /^\d+$/.test(gid) && members.split(",").includes(accountName) ? [Number(gid)] : [];
  });
}

/** name:password:uid:gid:…, one account a line. */
export function parseAccounts(passwd: string): Map<string, Account> {
  const accounts = new Map<string, Account>();
  for (const line of passwd.split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name === undefined || uid === undefined || gid === undefined) continue;
    if (/^\d+$/.test(uid) && /^\d+$/.test(gid))
      accounts.set(name, { name, uid: Number(uid), gid: Number(gid) });
  }
  return accounts;
}
