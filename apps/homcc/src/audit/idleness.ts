import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";

/** Share of the last ten seconds, in percent, in which something waited for a processor. */
const busyPressure = 10;
const busyLoadShare = 0.5;

/** What of this machine says that nobody would notice a compile. */
export interface MachinePlaces {
  readonly pressureFile: string;
  readonly powerFolder: string;
}

const thisMachine: MachinePlaces = {
  pressureFile: "/proc/pressure/cpu",
  powerFolder: "/sys/class/power_supply",
};

/** Why an audit has to wait; `undefined` when this machine has nothing to do and its power comes from the wall. */
export function whyBusy(places: MachinePlaces = thisMachine): string | undefined {
  if (isOnBattery(places.powerFolder)) return "on battery";
  const pressure = pressureOf(places.pressureFile);
  if (pressure !== undefined)
    return pressure > busyPressure ? `processes wait for processors ${pressure} % of the time` : undefined;
  // Without pressure figures: in the last minute, this build included.
  const [load = 0] = loadavg();
  return load > busyLoadShare * availableParallelism() ? `load ${load.toFixed(1)}` : undefined;
}

function pressureOf(file: string): number | undefined {
  const share = /^some avg10=([\d.]+)/m.exec(textOf(file))?.[1];
  return share === undefined ? undefined : Number(share);
}

/** A mains supply that is not online, or a battery that is drained where no mains supply is listed. */
function isOnBattery(folder: string): boolean {
  const supplies = namesIn(folder).map((name) => ({
    type: textOf(join(folder, name, "type")).trim(),
    online: textOf(join(folder, name, "online")).trim(),
    status: textOf(join(folder, name, "status")).trim(),
    scope: textOf(join(folder, name, "scope")).trim(),
  }));
  const wall = supplies.filter(({ type }) => type === "Mains" || type === "USB");
  if (wall.some(({ online }) => online === "1")) return false;
  // Batteries of mice and headsets say so.
  return supplies.some(
    ({ type, status, scope }) => type === "Battery" && scope !== "Device" && status === "Discharging",
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
