import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { errnoOf } from "@homcc/cas/errno";
import type { Host } from "@homcc/config/hosts";
import type { Examination } from "./examination.ts";

/** The addresses of a host's name, in the order in which they are tried; none when the name cannot be resolved. */
export async function examineName({ name, source }: Host, examination: Examination): Promise<string[]> {
  if (isIP(name) !== 0) return [name];
  try {
    const addresses = [...new Set((await lookup(name, { all: true })).map(({ address }) => address))];
    examination.ok(`${name} is ${addresses.join(", ")}`);
    return addresses;
  } catch (error) {
    const isUnknown = errnoOf(error) === "ENOTFOUND";
    examination.problem(
      isUnknown
        ? `there is no host named ${name}`
        : `${name} could not be resolved: ${errnoOf(error) ?? String(error)}`,
      `check the spelling at ${source}; a name of a VPN is known while the VPN is up; an address needs no name server`,
    );
    return [];
  }
}
