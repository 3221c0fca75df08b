import { accessSync, constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { ServerSettings } from "@homcc/config/settings";
import { shortFingerprint } from "@homcc/identity/fingerprint";
import { openPoolKey, type PoolKey, poolKeyFile } from "@homcc/identity/pool-key";
import { makeServerCertificate } from "@homcc/identity/server-certificate";
import { describeError, HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { Credential, TlsAcceptance } from "@homcc/transport/accept";
import type { ClientIdentity } from "@homcc/transport/client-identity";
import { type ShownCertificate, TlsListener } from "@homcc/transport/tls-listener";
import { type CertificateRules, judgeCertificate, whyNoLonger } from "./client-certificates.ts";
import { RevocationWatch } from "./revocation-watch.ts";

export type IdentitySettings = Pick<
  ServerSettings,
  | "identityFolder"
  | "store"
  | "requiresCertificate"
  | "tlsCertificate"
  | "tlsKey"
  | "tlsClientAuthorities"
  | "tlsClientNames"
>;

interface Certificates {
  /** Its private half is gone: what a client has to be signed by, and no more. */
  readonly pool: Pick<PoolKey, "certificate" | "fingerprint"> | undefined;
  readonly listener: TlsListener | undefined;
}

/** How this homccd shows who it is, and finds out who its clients are. */
export class ClientAuthentication implements Disposable {
  readonly #settings: IdentitySettings;
  readonly #certificates: Certificates;
  readonly #rules: CertificateRules;
  readonly #watch: RevocationWatch;

  private constructor(settings: IdentitySettings, certificates: Certificates, logger: Logger) {
    this.#settings = settings;
    this.#certificates = certificates;
    this.#watch = new RevocationWatch(settings.identityFolder, logger);
    this.#rules = {
      pool: certificates.pool,
      names: settings.tlsClientNames,
      revocations: () => this.#watch.current,
      nowMs: () => Date.now(),
    };
  }

  /** Reads the keys, while the account is the one that homccd was started as; the pool's is used once and forgotten. */
  static async open(settings: IdentitySettings, logger: Logger): Promise<ClientAuthentication> {
    const pool = await poolKeyOf(settings, logger);
    const other = await ownCertificate(settings);
    const shown = pool === undefined ? undefined : makeServerCertificate(pool, Date.now());
    const authorities =
      settings.tlsClientAuthorities === undefined
        ? []
        : [await readPem("tls_client_ca", settings.tlsClientAuthorities)];
    const listener = listenerOf(shown, other, [
      ...(pool === undefined ? [] : [pool.certificate.toString()]),
      ...authorities,
    ]);
    const known = pool && { certificate: pool.certificate, fingerprint: pool.fingerprint };
    return new ClientAuthentication(settings, { pool: known, listener }, logger);
  }

  /** `undefined`: nobody can prove anything here. */
  get acceptance(): TlsAcceptance | undefined {
    const { listener } = this.#certificates;
    if (listener === undefined) return undefined;
    return { listener, judge: (certificate, error) => judgeCertificate(certificate, error, this.#rules) };
  }

  /** Why somebody who was let in is to leave. */
  whyNoLonger(identity: ClientIdentity, credential: Credential | undefined): string | undefined {
    return credential === undefined ? undefined : whyNoLonger(identity, credential, this.#rules);
  }

  /** From now on `onChange` is called when somebody may have been revoked. */
  watchRevocations(onChange: () => void): void {
    if (this.#certificates.listener !== undefined) this.#watch.start(onChange);
  }

  /**
   * Called as the account that jobs run as. Where jobs see every file that this account can read, and its processes' memory,
   * whoever is served could take the pool's key. With `authentication = required` that would undo what was asked for.
   */
  checkJobs(jobsSeeAccount: boolean, hasGivenUpRoot: boolean, logger: Logger): void {
    if (!jobsSeeAccount || this.#certificates.pool === undefined) return;
    const path = join(this.#settings.identityFolder, poolKeyFile);
    if (hasGivenUpRoot && !isReadable(path)) return;
    const message = `jobs of the executor 'mapped' could read the pool's key ${path}, and pair anybody with it`;
    const hint =
      "start homccd as root with a folder that root owns, or on a machine with namespaces or Landlock";
    if (this.#settings.requiresCertificate)
      throw new HomccError("ERR_HOMCC_CONFIGURATION", message, { hint });
    logger.warning(`${message} (${hint})`);
  }

  /** For the log at the start. */
  describe(allow: string): string {
    const { pool, listener } = this.#certificates;
    const keyed = pool === undefined ? "" : `, pool ${shortFingerprint(pool.fingerprint)}…`;
    if (this.#settings.requiresCertificate) return `serving paired clients only, in TLS${keyed}`;
    const others = `without authentication addresses in '${allow}' only, not encrypted`;
    return listener === undefined ? `serving ${others}` : `serving paired clients in TLS${keyed}; ${others}`;
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

/** The store is given away to the account of jobs, and jobs may write there. */
function requireOwnFolder({ identityFolder, store }: IdentitySettings): void {
  const way = relative(store, identityFolder);
  if (way !== "" && (way === ".." || way.startsWith("../"))) return;
  throw new Error(`it lies in the store ${store}, where jobs may read and write`);
}

/** `undefined` where there is no folder for it, which is no reason not to serve those who need not be paired. */
async function poolKeyOf(settings: IdentitySettings, logger: Logger): Promise<PoolKey | undefined> {
  const { identityFolder, requiresCertificate, tlsClientAuthorities } = settings;
  try {
    requireOwnFolder(settings);
    return await openPoolKey(identityFolder, Date.now());
  } catch (cause) {
    if (cause instanceof HomccError) throw cause;
    const message = `no key of a pool can be kept in ${identityFolder}`;
    const hint = "choose a folder with identity_dir";
    if (requiresCertificate && tlsClientAuthorities === undefined)
      throw new HomccError("ERR_HOMCC_CONFIGURATION", message, { hint, cause });
    logger.info(`nobody can be paired: ${message} (${hint}): ${describeError(cause)}`);
    return undefined;
  }
}

async function ownCertificate({
  tlsCertificate,
  tlsKey,
}: IdentitySettings): Promise<ShownCertificate | undefined> {
  if (tlsCertificate === undefined) return undefined;
  return {
    chain: await readPem("tls_certificate", tlsCertificate),
    key: await readPem("tls_key", tlsKey ?? tlsCertificate),
  };
}

function listenerOf(
  pool: ShownCertificate | undefined,
  other: ShownCertificate | undefined,
  clientAuthorities: readonly string[],
): TlsListener | undefined {
  if (pool === undefined && other === undefined) return undefined;
  try {
    return new TlsListener({ pool, other, clientAuthorities });
  } catch (cause) {
    throw new HomccError(
      "ERR_HOMCC_CONFIGURATION",
      "tls_certificate, tls_key or tls_client_ca cannot be used",
      {
        hint: "PEM files are expected, the key without a passphrase and belonging to the first certificate",
        cause,
      },
    );
  }
}

async function readPem(option: string, path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8");
    // OpenSSL takes an empty file for no wish at all.
    if (!text.includes("-----BEGIN ")) throw new Error("it is no PEM file");
    return text;
  } catch (cause) {
    throw new HomccError("ERR_HOMCC_CONFIGURATION", `${option}: ${path} cannot be read`, {
      hint: "it has to be a PEM file that the account may read which homccd is started as",
      cause,
    });
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
