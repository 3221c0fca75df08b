/** Certificates of a company's own authority, on both sides; another library makes them. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { type PoolServer, startPoolServer } from "../../support/pool.ts";
import { recordHostileRequest } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 86_400_000;

interface Issued {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

async function makeAuthority(name: string): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 30 * dayMs),
    notAfter: new Date(Date.now() + 30 * dayMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return { certificate, keys };
}

interface Wish {
  readonly from?: number;
  readonly until?: number;
  readonly names?: x509.JsonGeneralNames;
}

async function issue(authority: Issued, name: string, wish: Wish = {}): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `O=Company, CN=${name}`,
    issuer: authority.certificate.subject,
    notBefore: new Date(Date.now() + (wish.from ?? -1) * dayMs),
    notAfter: new Date(Date.now() + (wish.until ?? 10) * dayMs),
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: wish.names === undefined ? [] : [new x509.SubjectAlternativeNameExtension(wish.names)],
  });
  return { certificate, keys };
}

/** Certificate and key in one file. */
async function keep(folder: string, name: string, { certificate, keys }: Issued): Promise<string> {
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const path = join(folder, `${name}.pem`);
  const pem = `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`;
  await writeFile(path, `${certificate.toString("pem")}\n${pem}`);
  return path;
}

let count = 0;

async function compile(
  workplace: Workplace,
  server: PoolServer,
  variables: Readonly<Record<string, string>>,
  host = "127.0.0.1",
): Promise<{ readonly outcome: string; readonly detail: string }> {
  // A folder of its own has an agent of its own, which has not asked the server before.
  const homccFolder = join(workplace.folder, `homcc${++count}`);
  await mkdir(homccFolder);
  const environment = workplace.environment({
    HOMCC_DIR: homccFolder,
    HOMCC_HOSTS: `${host}:${server.server.port}/4,tls`,
    ...variables,
  });
  const before = (await workplace.jobs()).length;
  const { status, stderr } = await workplace.run([homccProgram, "gcc", "-c", "a.c"], { environment });
  assert.equal(status, 0, stderr);
  const { outcome = "", detail = "" } = (await workplace.jobs(before + 1)).at(-1) ?? {};
  return { outcome, detail };
}

test("mutual TLS with certificates of a company: who is wrong in what is told, on both sides", async () => {
  await using workplace = await createWorkplace({ forbidLocal: false });
  await writeFile(join(workplace.project, "a.c"), "int a;\n");
  const folder = workplace.folder;
  const authority = await makeAuthority("Company authority");
  const stranger = await makeAuthority("Company authority");
  const ca = join(folder, "ca.pem");
  await writeFile(ca, authority.certificate.toString("pem"));
  const strangerCa = join(folder, "stranger.pem");
  await writeFile(strangerCa, stranger.certificate.toString("pem"));
  const own = await keep(
    folder,
    "server",
    await issue(authority, "build1", { names: [{ type: "ip", value: "127.0.0.1" }] }),
  );
  const client = async (name: string, from: Issued, wish?: Wish): Promise<string> =>
    await keep(folder, `${name}-${++count}`, await issue(from, name, wish));
  const options = ["--authentication", "required", "--tls-certificate", own, "--tls-client-ca", ca];
  options.push("--tls-client-names", "alice bob");
  const listen = "127.0.0.1 127.0.0.2";
  await using server = await startPoolServer(join(folder, "identity"), { options, listen });
  const alice = await client("alice", authority);

  const good = await compile(workplace, server, { HOMCC_TLS_CERTIFICATE: alice, HOMCC_TLS_CA: ca });
  assert.equal(good.outcome, "compiled-remotely", good.detail);
  assert.match(server.server.log(), /alice \(127\.0\.0\.1:\d+\): homcc 2/);

  const refusals: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ HOMCC_TLS_CA: ca }, /serves no client that is not paired/],
    [
      { HOMCC_TLS_CERTIFICATE: await client("bob", authority, { from: -9, until: -1 }), HOMCC_TLS_CA: ca },
      /the certificate of bob expired on/,
    ],
    [
      { HOMCC_TLS_CERTIFICATE: await client("bob", authority, { from: 2 }), HOMCC_TLS_CA: ca },
      /certificate of bob is valid from .*one of the clocks is wrong/,
    ],
    [
      { HOMCC_TLS_CERTIFICATE: await client("bob", stranger), HOMCC_TLS_CA: ca },
      /certificate of bob is not of this server's pool, nor of an authority/,
    ],
    [
      { HOMCC_TLS_CERTIFICATE: await client("mallory", authority), HOMCC_TLS_CA: ca },
      /mallory is none of the names that this server lets in/,
    ],
    [
      { HOMCC_TLS_CERTIFICATE: alice, HOMCC_TLS_CA: strangerCa },
      /not of an authority that this client believes .*tls_ca/,
    ],
    [{ HOMCC_TLS_CERTIFICATE: alice }, /not of an authority that this client believes/],
    [{ HOMCC_TLS_CERTIFICATE: join(folder, "none.pem"), HOMCC_TLS_CA: ca }, /tls_certificate: .*ENOENT/],
    [
      { HOMCC_TLS_CERTIFICATE: alice, HOMCC_TLS_KEY: own, HOMCC_TLS_CA: ca },
      /tls_certificate, tls_key or tls_ca cannot be used/,
    ],
  ];
  for (const [variables, why] of refusals) {
    const { outcome, detail } = await compile(workplace, server, variables);
    assert.equal(outcome, "not-trusted", detail);
    assert.match(detail, why);
  }
  const named = await compile(
    workplace,
    server,
    { HOMCC_TLS_CERTIFICATE: alice, HOMCC_TLS_CA: ca },
    "127.0.0.2",
  );
  assert.equal(named.outcome, "not-trusted", named.detail);
  assert.match(named.detail, /its certificate is for IP Address:127\.0\.0\.1, not for 127\.0\.0\.2/);
  recordHostileRequest("a connection with a certificate that is wrong in something", {
    tried: refusals.length + 1,
    refused: refusals.length + 1,
  });

  // Pairing works beside it, and a revoked name is out whichever way it comes.
  await server.administer("revoke", "alice");
  const revoked = await compile(workplace, server, { HOMCC_TLS_CERTIFICATE: alice, HOMCC_TLS_CA: ca });
  assert.match(revoked.detail, /alice was revoked/);
});

test("a server whose certificate cannot be used does not start without it", async () => {
  await using workplace = await createWorkplace();
  const folder = workplace.folder;
  const authority = await makeAuthority("a");
  const one = await keep(folder, "one", await issue(authority, "one"));
  const two = await keep(folder, "two", await issue(authority, "two"));
  await writeFile(join(folder, "empty.pem"), "");
  for (const [options, why] of [
    [["--tls-certificate", join(folder, "none.pem")], /tls_certificate: .*none\.pem cannot be read/],
    [["--tls-certificate", join(folder, "empty.pem")], /empty\.pem cannot be read.*no PEM file/],
    [["--tls-certificate", one, "--tls-key", two], /cannot be used/],
    [["--tls-client-ca", join(folder, "none.pem")], /tls_client_ca: .*cannot be read/],
  ] as const) {
    await assert.rejects(startPoolServer(join(folder, "identity"), { options }), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, why);
      return true;
    });
  }
});
