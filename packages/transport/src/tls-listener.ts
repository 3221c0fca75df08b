import { constants, type X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import { HomccError } from "@homcc/observability/error";
import { tlsReason } from "./tls-failure.ts";

/** What a server shows, in PEM. */
export interface ShownCertificate {
  readonly key: string;
  readonly chain: string;
}

export interface TlsListenerOptions {
  /** For clients that know the server by its pool's key. */
  readonly pool: ShownCertificate | undefined;
  /** For all others, where the server has another one. */
  readonly other: ShownCertificate | undefined;
  /** Whoever signs certificates of clients, in PEM. */
  readonly clientAuthorities: readonly string[];
}

/** A connection after the handshake of TLS; its peer has shown the certificate, if any, and has its key. */
export interface SecuredSocket {
  readonly socket: TLSSocket;
  readonly certificate: X509Certificate | undefined;
  /** Why OpenSSL does not believe the certificate: a code of its own such as CERT_HAS_EXPIRED. */
  readonly certificateError: string | undefined;
}

/**
 * The name that clients with a pool's key ask for: all servers of a pool show the same, whatever their names are. A server with
 * a certificate of the company's tells by it which one is asked for.
 */
export const poolServerName = "homcc-pool";

/** The server's half of TLS 1.3, over sockets that were read from before. */
export class TlsListener {
  readonly #server: Server;
  readonly #pending = new Map<string, PromiseWithResolvers<SecuredSocket>>();

  constructor({ pool, other, clientAuthorities }: TlsListenerOptions) {
    const contextOf = (shown: ShownCertificate): SecureContext =>
      createSecureContext({
        cert: shown.chain,
        key: shown.key,
        ca: [...clientAuthorities],
        minVersion: "TLSv1.3",
        // A resumed session saves no round trip in TLS 1.3, and brings a certificate along that was looked at long ago.
        secureOptions: constants.SSL_OP_NO_TICKET,
      });
    const shown = other ?? pool;
    if (shown === undefined) throw new Error("TLS without a certificate");
    const poolContext = pool === undefined || other === undefined ? undefined : contextOf(pool);
    this.#server = createServer({
      cert: shown.chain,
      key: shown.key,
      ca: [...clientAuthorities],
      minVersion: "TLSv1.3",
      secureOptions: constants.SSL_OP_NO_TICKET,
      requestCert: true,
      // Who shows a wrong one is told so by a message of ours.
      rejectUnauthorized: false,
      ...(poolContext === undefined
        ? {}
        : {
            SNICallback: (name: string, done: (error: null, context?: SecureContext) => void) =>
              done(null, name === poolServerName ? poolContext : undefined),
          }),
    });
    this.#server.on("secureConnection", (socket) => this.#secured(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
  }

  /** `read` is what was read of the socket, which is paused. Rejects when the handshake fails, and with the signal's reason. */
  async secure(carrier: Socket, read: Uint8Array, signal: AbortSignal): Promise<SecuredSocket> {
    signal.throwIfAborted();
    const pending = Promise.withResolvers<SecuredSocket>();
    const key = addressesOf(carrier);
    const onAbort = (): void => pending.reject(signal.reason);
    const onClose = (): void => pending.reject(failure("the client closed the connection"));
    this.#pending.set(key, pending);
    signal.addEventListener("abort", onAbort, { once: true });
    carrier.once("close", onClose);
    try {
      carrier.unshift(read);
      this.#server.emit("connection", carrier);
      return await pending.promise;
    } finally {
      this.#pending.delete(key);
      signal.removeEventListener("abort", onAbort);
      carrier.off("close", onClose);
    }
  }

  #failed(error: Error, socket: TLSSocket): void {
    socket.on("error", () => {});
    this.#pending.get(addressesOf(socket))?.reject(failure(tlsReason(error)));
  }

  #secured(socket: TLSSocket): void {
    const pending = this.#pending.get(addressesOf(socket));
    // For as long as it lives: an error without a listener would end the process.
    socket.on("error", () => {});
    if (pending === undefined) {
      socket.destroy();
      return;
    }
    const certificate = socket.getPeerX509Certificate();
    pending.resolve({
      socket,
      certificate,
      certificateError:
        certificate === undefined || socket.authorized ? undefined : String(socket.authorizationError),
    });
  }
}

function failure(reason: string): HomccError {
  return new HomccError("ERR_HOMCC_PROTOCOL", `the handshake of TLS 1.3 failed: ${reason}`);
}

/** Node tells a TLS server's listeners of the connection made, not of the socket it was made of: both have these. */
function addressesOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return [localAddress, localPort, remoteAddress, remotePort].join(" ");
}
