import { hasCode } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { askHomccd } from "./control-socket.ts";

/**
 * Opens the store. One whose homccd is about to end is waited for, so that its successor may be started before: it listens
 * already, and its clients wait for their welcome. One whose homccd is not is no one else's: rejects as `open` does.
 */
export async function afterPredecessor<Store>(
  store: string,
  logger: Logger,
  open: () => Promise<Store>,
): Promise<Store> {
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (!hasCode(error, "ERR_HOMCC_CONFIGURATION") || !(await isEnding(store, logger))) throw error;
    }
  }
}

/** Resolves with true when the store's homccd was about to end, and has. */
async function isEnding(store: string, logger: Logger): Promise<boolean> {
  let isAbout = false;
  const noted = (): void => {
    isAbout = true;
    logger.info(`waiting for the homccd of ${store} to end`);
  };
  await askHomccd(store, "follow", noted).catch(() => {});
  return isAbout;
}
