/**
 * What `homccd pair` prints and `homcc pair` takes:
 *
 *     homcc://HOSTS/pair/1/NAME/DAY/FINGERPRINT/KEY/CERTIFICATE/CHECK
 *
 * HOSTS are as on lines of the hosts file, with `~` for `/` and between commas. DAY is the last one, for people. KEY is an
 * Ed25519 private key, CERTIFICATE its certificate in DER, CHECK the beginning of a SHA-256 of all that is before it; all
 * three in base64url. No character means anything to a shell, and blanks and line ends within it mean nothing.
 */
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { HomccError } from "@homcc/observability/error";
import { commonNameOf } from "./certificate.ts";
import { isClientName } from "./client-name.ts";
import { isFingerprint } from "./fingerprint.ts";
import type { Pairing } from "./pairing.ts";

export interface PairingOffer {
  /** As on lines of the hosts file, without the key. */
  readonly hosts: readonly string[];
  readonly pairing: Pairing;
}

const version = "1";
const checkLength = 8;
/** Of RFC 8410: all of an Ed25519 key in PKCS #8 that comes before its 32 bytes. */
const keyPrefix = Buffer.from("302e020100300506032b657004220420", "hex");
const keyBytes = 32;
/** Longer than any; a paste of something else is not looked at. */
const maxLineLength = 8192;

export function encodePairingLine({ hosts, pairing }: PairingOffer): string {
  const key = pairing.privateKey.export({ type: "pkcs8", format: "der" }).subarray(keyPrefix.byteLength);
  const body = [
    `homcc://${hosts.map((host) => host.replaceAll("/", "~")).join(",")}`,
    "pair",
    version,
    pairing.name,
    new Date(pairing.expiresMs).toISOString().slice(0, 10),
    pairing.fingerprint,
    key.toString("base64url"),
    pairing.certificate.raw.toString("base64url"),
  ].join("/");
  return `${body}/${checkOf(body)}`;
}

/** Throws ERR_HOMCC_USAGE; no message quotes the line, which is a secret. */
export function decodePairingLine(text: string): PairingOffer {
  const line = text.slice(0, maxLineLength + 1).replaceAll(/\s+/g, "");
  const [, hosts, given, rest] = /^homcc:\/\/([^/]+)\/pair\/(\d+)\/(.*)$/.exec(line) ?? [];
  if (hosts === undefined || given === undefined || rest === undefined) {
    throw unusable("this is no line of homccd pair", "it begins with homcc:// and is one long word");
  }
  if (given !== version) {
    throw unusable(
      `the line has version ${given}, and this homcc knows version ${version}`,
      "install a newer homcc",
    );
  }
  const end = line.lastIndexOf("/");
  const parts = rest.split("/");
  if (
    line.length > maxLineLength ||
    parts.length !== 6 ||
    line.slice(end + 1) !== checkOf(line.slice(0, end))
  ) {
    throw unusable(
      "the line is not complete, or was changed on the way",
      "copy it again, from homcc:// to its last letter",
    );
  }
  try {
    return { hosts: readHosts(hosts), pairing: readPairing(parts) };
  } catch (cause) {
    throw unusable("the line holds no pairing", "have homccd pair make another one", cause);
  }
}

function readHosts(text: string): string[] {
  const hosts = text.split(",").map((host) => host.replaceAll("~", "/"));
  // Each becomes a part of a line in a file of the user's.
  if (hosts.some((host) => !/^[\w.:[\]/-]+$/.test(host))) throw new Error("a host has a wrong name");
  return hosts;
}

function readPairing([name = "", , fingerprint = "", key = "", raw = ""]: readonly string[]): Pairing {
  if (!isClientName(name)) throw new Error("the client has a wrong name");
  if (!isFingerprint(fingerprint)) throw new Error("the fingerprint is wrong");
  const secret = Buffer.from(key, "base64url");
  if (secret.byteLength !== keyBytes) throw new Error("the key has a wrong length");
  const privateKey = createPrivateKey({
    key: Buffer.concat([keyPrefix, secret]),
    format: "der",
    type: "pkcs8",
  });
  const certificate = new X509Certificate(Buffer.from(raw, "base64url"));
  if (!certificate.checkPrivateKey(privateKey)) throw new Error("the certificate is another key's");
  if (commonNameOf(certificate) !== name) throw new Error("the certificate is for another client");
  return { name, fingerprint, privateKey, certificate, expiresMs: certificate.validToDate.getTime() };
}

function checkOf(body: string): string {
  return createHash("sha256").update(body).digest("base64url").slice(0, checkLength);
}

function unusable(message: string, hint: string, cause?: unknown): HomccError {
  return new HomccError("ERR_HOMCC_USAGE", message, { hint, ...(cause === undefined ? {} : { cause }) });
}
