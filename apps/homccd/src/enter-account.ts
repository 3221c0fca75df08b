import { join } from "node:path";
import type { ServerSettings } from "@homcc/config/settings";
import type { Logger } from "@homcc/observability/log";
import { becomeAccount, handOver, serviceAccount } from "./privileges.ts";
import { Door } from "./sandboxes/door.ts";
import { makeStoreFolder } from "./store-folder.ts";

/** Opens the door into containers while that is allowed, and becomes the account that jobs run as. */
export async function enterAccount(
  settings: Pick<ServerSettings, "user" | "store">,
  logger: Logger,
): Promise<Door | undefined> {
  const account = await serviceAccount(settings.user);
  if (account === undefined) await makeStoreFolder(settings.store);
  else await handOver(settings.store, account);
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const door = await Door.open(join(import.meta.dirname, "runner"), settings.store, account ?? own);
  if (account === undefined) return door;
  becomeAccount(account, settings.store);
  logger.info(`jobs run as ${account.name}`);
  return door;
}
