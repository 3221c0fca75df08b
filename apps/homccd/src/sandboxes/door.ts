import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { HomccError } from "@homcc/observability/error";

/** Asks for job runners whose jobs lie over the root of a container: see native/door.c. */
export class Door {
  /** Holds the door's socket. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Starts it with what homccd may do now, for `account`, which homccd becomes afterwards. It ends with homccd. `undefined`
   * when homccd may not enter containers.
   */
  static async open(
    runnerProgram: string,
    folder: string,
    account: { readonly uid: number; readonly gid: number },
  ): Promise<Door | undefined> {
    if (!mayEnterContainers()) return undefined;
    const words = ["door", String(account.uid), String(account.gid), folder];
    const child = spawn(runnerProgram, words, { stdio: ["pipe", "pipe", "inherit"], env: {}, cwd: "/" });
    await Promise.race([once(child.stdout, "data"), once(child, "exit").then(neverOpened)]);
    for (const handle of [child, child.stdin, child.stdout]) if ("unref" in handle) unrefHandle(handle);
    return new Door(folder);
  }

  /** The arguments of a job runner for one session, in whose folder there is a folder `sandbox`. */
  argumentsFor(pid: number, session: string): string[] {
    return ["through", this.folder, String(pid), session];
  }
}

function unrefHandle(handle: object): void {
  if ("unref" in handle && typeof handle.unref === "function") handle.unref();
}

function neverOpened(): never {
  throw new HomccError("ERR_HOMCC_EXECUTOR", "the door into containers could not be opened", {
    hint: "the line above says why",
  });
}

/** CAP_SYS_CHROOT, CAP_SYS_PTRACE, CAP_SYS_ADMIN. */
const neededCapabilities = (1n << 18n) | (1n << 19n) | (1n << 21n);

function mayEnterContainers(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  return (BigInt(`0x${effective ?? "0"}`) & neededCapabilities) === neededCapabilities;
}
