import { readFileSync } from "node:fs";
import { groupsOf, parseAccounts } from "../privileges.ts";

/** An account as schroot's `users=` and `groups=` mean it. */
export interface SchrootAccount {
  readonly name: string;
  readonly isRoot: boolean;
  readonly groups: readonly string[];
}

/** That of a number in /etc/passwd; one that is not there has no name and no groups. */
export function schrootAccountOf(uid: number): SchrootAccount {
  const accounts = [...parseAccounts(readFileSync("/etc/passwd", "utf8")).values()];
  const account = accounts.find((candidate) => candidate.uid === uid);
  if (account === undefined) return { name: "", isRoot: uid === 0, groups: [] };
  const groupFile = readFileSync("/etc/group", "utf8");
  const numbers = new Set([account.gid, ...groupsOf(account.name, groupFile)]);
  const groups = groupFile.split("\n").flatMap((line) => {
    const [name = "", , gid = ""] = line.split(":");
    return name !== "" && gid !== "" && numbers.has(Number(gid)) ? [name] : [];
  });
  return { name: account.name, isRoot: uid === 0, groups };
}
