import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { scratchFolder } from "../remote/scratch-folder.fixture.ts";
import { whyBusy } from "./idleness.ts";

async function machine(
  pressure: string,
  supplies: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
): Promise<string | undefined> {
  await using scratch = await scratchFolder();
  const pressureFile = join(scratch.path, "cpu");
  const powerFolder = join(scratch.path, "power_supply");
  await writeFile(pressureFile, `some avg10=${pressure} avg60=90.00 avg300=90.00 total=1\nfull avg10=0.00\n`);
  for (const [name, files] of Object.entries(supplies)) {
    await mkdir(join(powerFolder, name), { recursive: true });
    for (const [file, text] of Object.entries(files))
      await writeFile(join(powerFolder, name, file), `${text}\n`);
  }
  return whyBusy({ pressureFile, powerFolder });
}

test("processes that wait for processors", async () => {
  assert.equal(await machine("0.00"), undefined);
  assert.equal(await machine("42.17"), "processes wait for processors 42.17 % of the time");
});

test("power: the wall, a battery, a dock over USB, a mouse", async () => {
  const battery = { type: "Battery", status: "Discharging", scope: "System" };
  assert.equal(await machine("0.00", { BAT0: battery }), "on battery");
  assert.equal(await machine("0.00", { AC: { type: "Mains", online: "0" }, BAT0: battery }), "on battery");
  assert.equal(await machine("0.00", { AC: { type: "Mains", online: "1" }, BAT0: battery }), undefined);
  assert.equal(await machine("0.00", { "ucsi-1": { type: "USB", online: "1" }, BAT0: battery }), undefined);
  assert.equal(await machine("0.00", { BAT0: { ...battery, status: "Charging" } }), undefined);
  assert.equal(await machine("0.00", { mouse: { ...battery, scope: "Device" } }), undefined);
});

test("a machine that says nothing about itself is judged by its load", () => {
  const answer = whyBusy({ pressureFile: "/nonexistent/cpu", powerFolder: "/nonexistent/power" });
  assert(answer === undefined || /^load \d/.test(answer));
});
