import type { Readable } from "node:stream";
import { keepPairing } from "@homcc/identity/credential-file";
import { timeText } from "@homcc/identity/lifetime";
import { decodePairingLine, type PairingOffer } from "@homcc/identity/pairing-line";
import { writeWhole } from "@homcc/identity/private-file";
import { HomccError } from "@homcc/observability/error";
import { findHostsPlace, makeOwnFolder } from "./hosts-place.ts";
import { type LineChange, withHost } from "./hosts-lines.ts";

export interface PairCall {
  /** As on the command line; `undefined` or `-`: it comes from `input`, and is in no list of processes. */
  readonly line: string | undefined;
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly prompt: (text: string) => void;
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Of a paste that never ends. */
const maxInputBytes = 64 << 10;

const done: Readonly<Record<LineChange, string>> = {
  present: "was there already",
  replaced: "takes the place of a line without that key",
  added: "was added",
};

/** `homcc pair`: keeps the secret, adds the hosts, and says so; what it prints is no secret. */
export async function pairWith(call: PairCall): Promise<string> {
  const { hosts, pairing } =
    call.line === undefined || call.line === "-" ? await readOffer(call) : decodePairingLine(call.line);
  const { name, fingerprint, expiresMs } = pairing;
  if (expiresMs < Date.now()) {
    throw new HomccError("ERR_HOMCC_USAGE", `the line was good until ${timeText(expiresMs)} only`, {
      hint: "have homccd pair make another one; this machine's clock counts",
    });
  }
  const place = await findHostsPlace(call.environment, call.cwd);
  await makeOwnFolder(place.folder);
  const secretPath = await keepPairing(place.folder, pairing);
  const told = [
    `paired as ${name} with the pool ${fingerprint} until ${timeText(expiresMs)}`,
    `secret: ${secretPath}`,
  ];
  let { text } = place;
  for (const offered of hosts) {
    const changed = withHost(text, offered, fingerprint);
    ({ text } = changed);
    told.push(`${place.path}: ${changed.host} ${done[changed.change]}`);
  }
  if (text !== place.text) await writeWhole(place.path, text, { mode: place.mode });
  if (place.hides !== undefined)
    told.push(`${place.hides} does not count any more: copy what you need from it`);
  if ((call.environment["HOMCC_HOSTS"] ?? "").trim() !== "")
    told.push("HOMCC_HOSTS is set and beats that file: add the host there, or unset it");
  told.push("homcc doctor says whether it can be used");
  return told.map((line) => `${line}\n`).join("");
}

/** Until the line is whole, however a mail program has folded it, or the input ends. */
async function readOffer({ input, prompt }: PairCall): Promise<PairingOffer> {
  if (input.isTTY === true) prompt("Paste the line that homccd pair printed, then press Enter:\n");
  let text = "";
  for await (const chunk of input) {
    text += String(chunk);
    if (text.length > maxInputBytes) break;
    const offer = text.includes("\n") ? whole(text) : undefined;
    if (offer !== undefined) return offer;
  }
  return decodePairingLine(text);
}

function whole(text: string): PairingOffer | undefined {
  try {
    return decodePairingLine(text);
  } catch {
    return undefined;
  }
}
