import { readFile } from "node:fs/promises";
import type { TlsAccess } from "@homcc/config/hosts";
import { findPairing } from "@homcc/identity/credential-file";
import { timeText } from "@homcc/identity/lifetime";
import { describeError, HomccError } from "@homcc/observability/error";
import type { ServerTrust } from "@homcc/transport/tls-client";

/** Whom a host has to be, with what this user shows it; read anew for each connection. `undefined`: anybody, and nothing. */
export async function trustIn(tls: TlsAccess | undefined): Promise<ServerTrust | undefined> {
  if (tls === undefined) return undefined;
  if (tls.kind === "authority") return await trustInAuthority(tls);
  const { name, certificate, privateKey, expiresMs } = await findPairing(tls.folders, tls.fingerprint);
  if (expiresMs < Date.now()) {
    throw new HomccError(
      "ERR_HOMCC_CONFIGURATION",
      `the pairing of ${name} expired on ${timeText(expiresMs)}`,
      {
        hint: "have homccd pair make another one; this machine's clock counts",
      },
    );
  }
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return {
    kind: "pool",
    fingerprint: tls.fingerprint,
    client: { key, chain: certificate.toString() },
  };
}

async function trustInAuthority({ certificate, key, authorities }: TlsAccess): Promise<ServerTrust> {
  const client =
    certificate === undefined
      ? undefined
      : {
          chain: await readPem("tls_certificate", certificate),
          key: await readPem("tls_key", key ?? certificate),
        };
  return {
    kind: "authority",
    authorities: authorities === undefined ? undefined : await readPem("tls_ca", authorities),
    client,
  };
}

async function readPem(option: string, path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new HomccError("ERR_HOMCC_CONFIGURATION", `${option}: ${describeError(cause)}`, {
      hint: "it has to be a PEM file that you may read",
    });
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new HomccError("ERR_HOMCC_CONFIGURATION", `${option}: ${path} is no PEM file`);
}
