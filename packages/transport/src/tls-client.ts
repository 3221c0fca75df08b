import type { X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { purposeNames } from "@homcc/identity/certificate";
import { type Fingerprint, fingerprintOf } from "@homcc/identity/fingerprint";
import { HomccError } from "@homcc/observability/error";
import { ConnectError } from "./connect-error.ts";
import { dayAndTime, tlsReason } from "./tls-failure.ts";
import { poolServerName } from "./tls-listener.ts";

/** Whom a server has to be, and what this client shows it. */
export type ServerTrust =
  /** One of the servers that have the key of a pool. */
  | { readonly kind: "pool"; readonly fingerprint: Fingerprint; readonly client: ClientCertificate }
  /** One whose name an authority has put into its certificate. `undefined` shows none. */
  | {
      readonly kind: "authority";
      /** Certificates in PEM; `undefined`: those that the system believes in. */
      readonly authorities: string | undefined;
      readonly client: ClientCertificate | undefined;
    };

/** In PEM. */
export interface ClientCertificate {
  readonly key: string;
  readonly chain: string;
}

export interface SecureClientOptions {
  readonly peer: string;
  /** As configured: the name that the certificate has to be for. */
  readonly host: string;
  readonly deadline: AbortSignal;
}

/**
 * The client's half of TLS 1.3 over a connected socket. Rejects with a `ConnectError` "untrusted" unless the server is who it
 * has to be; nothing but the handshake was sent then. The caller destroys the socket.
 */
export async function secureClient(
  carrier: Socket,
  trust: ServerTrust,
  options: SecureClientOptions,
): Promise<TLSSocket> {
  const { peer, host, deadline } = options;
  const name = trust.kind === "pool" ? poolServerName : host;
  const socket = begin({
    socket: carrier,
    host: name,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    minVersion: "TLSv1.3",
    // Judged below, where it can be said what is wrong; OpenSSL looks all the same.
    rejectUnauthorized: false,
    ...(trust.client === undefined ? {} : { cert: trust.client.chain, key: trust.client.key }),
    ...(trust.kind === "pool" || trust.authorities === undefined ? {} : { ca: trust.authorities }),
  });
  // Listened to for as long as the socket lives: an error without a listener would end the process.
  socket.on("error", () => {});
  await handshake(socket, peer, deadline);
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw untrusted(peer, "it shows no certificate");
  if (trust.kind === "pool") checkPool(certificate, trust.fingerprint, peer);
  else if (!socket.authorized) throw notAuthorized(certificate, socket.authorizationError, host, peer);
  return socket;
}

function begin(options: ConnectionOptions): TLSSocket {
  try {
    return connectTls(options);
  } catch (cause) {
    throw new HomccError("ERR_HOMCC_CONFIGURATION", "tls_certificate, tls_key or tls_ca cannot be used", {
      hint: "PEM files are expected, the key without a passphrase and belonging to the first certificate",
      cause,
    });
  }
}

/** The key that clients trust has signed the server's certificate itself, for a server, and for now. */
function checkPool(certificate: X509Certificate, fingerprint: Fingerprint, peer: string): void {
  const signer = certificate.issuerCertificate;
  const found = fingerprintOf((signer ?? certificate).publicKey);
  if (signer === undefined || found !== fingerprint) {
    throw untrusted(
      peer,
      `its key is ${found}, and the hosts line says ${fingerprint}`,
      "if the pool has a new key, pair again; if not, somebody else answers there. Ask whoever runs it",
    );
  }
  if (!certificate.checkIssued(signer) || !certificate.verify(signer.publicKey))
    throw untrusted(peer, "its certificate is not signed by the pool's key");
  if (!certificate.keyUsage?.includes(purposeNames.server))
    throw untrusted(peer, "it shows the certificate of a client, not of a server");
  checkDates(certificate, peer);
}

function checkDates({ validFromDate, validToDate }: X509Certificate, peer: string): void {
  const nowMs = Date.now();
  const bound =
    nowMs < validFromDate.getTime() ? "from" : nowMs > validToDate.getTime() ? "until" : undefined;
  if (bound === undefined) return;
  const boundMs = (bound === "from" ? validFromDate : validToDate).getTime();
  throw untrusted(
    peer,
    `its certificate is valid ${bound} ${dayAndTime(boundMs)}, and this machine's clock says ${dayAndTime(nowMs)}`,
    bound === "from" ? "set this machine's clock" : "set this machine's clock, or have homccd started anew",
  );
}

function notAuthorized(
  certificate: X509Certificate,
  error: unknown,
  host: string,
  peer: string,
): ConnectError {
  const code = error instanceof Error && "code" in error ? error.code : error;
  switch (String(code)) {
    case "CERT_NOT_YET_VALID":
    case "CERT_HAS_EXPIRED":
      checkDates(certificate, peer);
      return untrusted(peer, "a certificate above its own has expired");
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return untrusted(
        peer,
        `its certificate is for ${certificate.subjectAltName ?? "no host"}, not for ${host}`,
        "use the name in the certificate on the hosts line",
      );
    default:
      return untrusted(
        peer,
        `its certificate is not of an authority that this client believes (${String(code)})`,
        "tls_ca names the authority's certificate",
      );
  }
}

async function handshake(socket: TLSSocket, peer: string, deadline: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(deadline.reason);
  const onError = (error: Error): void => {
    reject(
      untrusted(
        peer,
        `it does not speak TLS 1.3: ${tlsReason(error)}`,
        "is its homccd of this version, and its TLS on?",
      ),
    );
  };
  const onClose = (): void => onError(new Error("it closed the connection"));
  socket.once("secureConnect", resolve).once("error", onError).once("close", onClose);
  deadline.addEventListener("abort", onAbort, { once: true });
  if (deadline.aborted) onAbort();
  try {
    await promise;
  } finally {
    socket.off("secureConnect", resolve).off("error", onError).off("close", onClose);
    deadline.removeEventListener("abort", onAbort);
  }
}

function untrusted(peer: string, what: string, hint?: string): ConnectError {
  const message = `${peer} is not trusted: ${what}`;
  return new ConnectError("untrusted", message, hint === undefined ? {} : { hint });
}
