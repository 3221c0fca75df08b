import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { HomccError } from "@homcc/observability/error";
import { commonNameOf } from "./certificate.ts";
import { type Fingerprint, shortFingerprint } from "./fingerprint.ts";
import { timeText } from "./lifetime.ts";
import type { Pairing } from "./pairing.ts";
import { pemBlocks } from "./pem.ts";
import { makePrivateFolder, writeWhole } from "./private-file.ts";

/** Below a folder with `hosts`: one file a pool. */
export const credentialFolder = "pairings";

/** Keeps the secret of a pairing in `folder`, where nobody else may read it, in place of an earlier one with the same pool. */
export async function keepPairing(folder: string, pairing: Pairing): Promise<string> {
  const { name, fingerprint, privateKey, certificate, expiresMs } = pairing;
  const pairings = join(folder, credentialFolder);
  await makePrivateFolder(pairings);
  const path = join(pairings, fileNameOf(fingerprint));
  const text = [
    `The pairing of ${name} with the homcc pool ${fingerprint}, until ${timeText(expiresMs)}`,
    privateKey.export({ type: "pkcs8", format: "pem" }).toString().trim(),
    certificate.toString().trim(),
    "",
  ].join("\n");
  await writeWhole(path, text, { mode: 0o600 });
  return path;
}

/** The pairing with a pool, from the first of the folders that has one. Rejects with what to do where there is none. */
export async function findPairing(folders: readonly string[], fingerprint: Fingerprint): Promise<Pairing> {
  for (const folder of folders) {
    const path = join(folder, credentialFolder, fileNameOf(fingerprint));
    try {
      return parsePairing(await readFile(path, "utf8"), fingerprint);
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && ["ENOENT", "ENOTDIR"].includes(String(cause.code)))
        continue;
      throw new HomccError("ERR_HOMCC_CONFIGURATION", `the pairing in ${path} cannot be used`, {
        hint: "pair again: homccd pair on the server, homcc pair here",
        cause,
      });
    }
  }
  throw new HomccError(
    "ERR_HOMCC_CONFIGURATION",
    `this user is not paired with the pool ${shortFingerprint(fingerprint)}…`,
    { hint: "run homccd pair --name NAME on the server, and homcc pair with its line here" },
  );
}

function parsePairing(text: string, fingerprint: Fingerprint): Pairing {
  const blocks = pemBlocks(text);
  const key = blocks.find(({ label }) => label === "PRIVATE KEY");
  const signed = blocks.find(({ label }) => label === "CERTIFICATE");
  if (key === undefined || signed === undefined) throw new Error("a key and its certificate were expected");
  const privateKey = createPrivateKey(key.pem);
  const certificate = new X509Certificate(signed.pem);
  if (!certificate.checkPrivateKey(privateKey)) throw new Error("key and certificate do not belong together");
  return {
    name: commonNameOf(certificate) ?? "",
    fingerprint,
    privateKey,
    certificate,
    expiresMs: certificate.validToDate.getTime(),
  };
}

function fileNameOf(fingerprint: Fingerprint): string {
  return `${fingerprint}.pem`;
}
