import { defaultMinFreeBytes } from "@homcc/cas/free-space";
import type { Host } from "@homcc/config/hosts";
import { version } from "@homcc/config/version";
import type { Welcome } from "@homcc/protocol/hello";
import { bytesText, durationText } from "@homcc/observability/quantities";
import { inventoryLines } from "../ask/inventory-print.ts";
import type { Greeted } from "./connection.ts";
import type { Examination } from "./examination.ts";

/** A clock that is further off gives other texts of __TIME__ than a user would think of. */
const tolerableClockMs = 60_000;
/** homccd evicts what it could keep long before nothing is left. */
const comfortableDiskBytes = 1 << 30;

/** What the server says about itself. */
export function examineWelcome(host: Host, greeted: Greeted, examination: Examination): void {
  const { welcome } = greeted;
  if (welcome.server !== `homccd ${version}`)
    examination.note(`${welcome.server} there, homcc ${version} here: they work together`);
  examineExecutor(welcome, examination);
  examineSlots(host, welcome, examination);
  examineClock(greeted, examination);
  examineDisk(welcome, examination);
  examineInventory(greeted, examination);
}

function examineExecutor({ executors, unavailable = [] }: Welcome, examination: Examination): void {
  const [best = "none"] = executors;
  if (best === "replay") {
    examination.problem(
      "executor replay: it compiles nothing and answers with recorded results",
      "use that server for benchmarks only, or start homccd there without --executor replay",
    );
    return;
  }
  if (best === "namespace") {
    examination.ok("executor namespace: jobs see this machine's paths");
    return;
  }
  const reason = unavailable.find(({ executor }) => executor === "namespace")?.reason;
  if (reason === undefined || reason.startsWith("option executor")) {
    examination.note(
      `executor ${best}, ${reason ?? "and it does not say why"}: fewer commands can run there`,
    );
    return;
  }
  examination.problem(
    `executor ${best}, because namespaces do not work there, so that fewer commands can run: ${reason}`,
    "on the server: sysctl -w user.max_user_namespaces=15000 (Debian also kernel.unprivileged_userns_clone=1, Ubuntu kernel.apparmor_restrict_unprivileged_userns=0; in a container: allow them there), then restart homccd",
  );
}

function examineSlots({ limit, text, source }: Host, { slots }: Welcome, examination: Examination): void {
  if (limit <= slots) {
    examination.ok(`${slots} slots there, limit ${limit} here`);
    return;
  }
  examination.problem(
    `the limit ${limit} of ${text} is above the ${slots} slots of the server: jobs wait there, and could run elsewhere`,
    `write /${slots} at ${source}, or give homccd more slots with --jobs`,
  );
}

function examineClock({ welcome, roundTripMs, receivedAtMs }: Greeted, examination: Examination): void {
  if (welcome.timeMs === undefined) return;
  const aheadMs = welcome.timeMs - (receivedAtMs - roundTripMs / 2);
  const distance = durationText(Math.abs(aheadMs));
  if (Math.abs(aheadMs) <= tolerableClockMs) {
    examination.ok(`its clock differs by ${distance}`);
    return;
  }
  examination.problem(
    `the server's clock is ${distance} ${aheadMs > 0 ? "ahead of" : "behind"} this machine's; __DATE__ and __TIME__ in objects come from it`,
    "set the clock that is wrong, with timedatectl set-ntp true",
  );
}

function examineInventory({ inventory }: Greeted, examination: Examination): void {
  const [first = "", ...rest] = inventoryLines(inventory);
  if (inventory.kind === "unknown") examination.note(first);
  else examination.ok(["it can compile with:", ...[first, ...rest].map((line) => `  ${line}`)].join("\n"));
}

function examineDisk({ disk }: Welcome, examination: Examination): void {
  if (disk === undefined) return;
  const free = `${bytesText(disk.freeBytes)} of ${bytesText(disk.totalBytes)} are free on the disk of its store`;
  if (disk.freeBytes >= comfortableDiskBytes) examination.ok(free);
  else if (disk.freeBytes >= defaultMinFreeBytes) examination.note(free);
  else {
    examination.problem(
      `the server's disk is full: ${free}`,
      "make room there, choose another disk with homccd's --store, or lower max_dependency_cache_size",
    );
  }
}
