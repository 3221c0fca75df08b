import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { HomccError } from "@homcc/observability/error";
import { makeCertificate, publicKeyOf } from "./certificate.ts";
import { type Fingerprint, fingerprintOf } from "./fingerprint.ts";
import { pemBlocks } from "./pem.ts";
import { makeOpenFolder, writeWhole } from "./private-file.ts";

/** The one secret of a pool: whoever has it is each of its servers, and can pair clients with them. */
export interface PoolKey {
  readonly privateKey: KeyObject;
  /** Signed by itself; clients know it by its key's fingerprint. */
  readonly certificate: X509Certificate;
  readonly fingerprint: Fingerprint;
}

/** All that another server of the pool needs. */
export const poolKeyFile = "pool.pem";
export const poolName = "homcc pool";

const yearMs = 365 * 24 * 3_600_000;
/** The key is what clients trust, and not its certificate's dates. */
const validMs = 50 * yearMs;
/** Clocks of clients may be so far behind the clock of the machine where a certificate was made. */
export const clockToleranceMs = 12 * 3_600_000;

/** The pool's key, made at first need. */
export async function openPoolKey(folder: string, nowMs: number): Promise<PoolKey> {
  const known = await readPoolKey(folder);
  if (known !== undefined) return known;
  // A homccd that was started as root watches it later, as another account.
  await makeOpenFolder(folder);
  const made = makePoolKey(nowMs);
  // Of two that begin at once, such as a server and the first `homccd pair`, one is too late and takes the other's.
  await writeWhole(join(folder, poolKeyFile), textOf(made), { mode: 0o600, exclusive: true });
  return (await readPoolKey(folder)) ?? made;
}

/** `undefined` where there is none yet. */
export async function readPoolKey(folder: string): Promise<PoolKey | undefined> {
  const path = join(folder, poolKeyFile);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new HomccError("ERR_HOMCC_CONFIGURATION", `the pool's key ${path} cannot be read`, {
      hint: "it belongs to the account that starts homccd; pair and revoke as that account, or as root",
      cause,
    });
  }
  try {
    return parsePoolKey(text);
  } catch (cause) {
    throw new HomccError("ERR_HOMCC_CONFIGURATION", `${path} holds no key of a pool`, {
      hint: `copy ${poolKeyFile} from another server of the pool, or remove it to have a new one made: then all clients must be paired again`,
      cause,
    });
  }
}

export function makePoolKey(nowMs: number): PoolKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const certificate = makeCertificate({
    purpose: "pool",
    name: poolName,
    publicKey,
    issuedMs: nowMs,
    notBeforeMs: nowMs - clockToleranceMs,
    notAfterMs: nowMs + validMs,
    issuer: { name: poolName, privateKey },
  });
  return { privateKey, certificate, fingerprint: fingerprintOf(publicKey) };
}

function parsePoolKey(text: string): PoolKey {
  const blocks = pemBlocks(text);
  const key = blocks.find(({ label }) => label === "PRIVATE KEY");
  const signed = blocks.find(({ label }) => label === "CERTIFICATE");
  if (key === undefined || signed === undefined) throw new Error("a key and its certificate were expected");
  const privateKey = createPrivateKey(key.pem);
  const certificate = new X509Certificate(signed.pem);
  if (privateKey.asymmetricKeyType !== "ed25519") throw new Error("the key is no Ed25519 key");
  if (!certificate.checkPrivateKey(privateKey)) throw new Error("key and certificate do not belong together");
  return { privateKey, certificate, fingerprint: fingerprintOf(publicKeyOf(privateKey)) };
}

function textOf({ privateKey, certificate, fingerprint }: PoolKey): string {
  return [
    `The key of a homcc pool, with the fingerprint ${fingerprint}`,
    "Whoever has this file is each server of the pool. Other servers of the pool need the same file.",
    privateKey.export({ type: "pkcs8", format: "pem" }).toString().trim(),
    certificate.toString().trim(),
    "",
  ].join("\n");
}
