import { readFile } from "node:fs/promises";

/**
 * `PID:START:BOOT` of a process: START (in clock ticks after boot) and BOOT tell it from a later one with the same number.
 * `undefined` when there is no such process.
 */
export async function processIdentity(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "latin1");
    // Field 2 is the program's name in parentheses and may hold blanks; the start time is field 22.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Ended, and nobody has asked how: in a container without an init that may stay so.
    if (fields[0] === "Z") return undefined;
    const start = fields[19];
    return `${pid}:${start}:${boot.slice(0, 8)}`;
  } catch {
    return undefined;
  }
}
