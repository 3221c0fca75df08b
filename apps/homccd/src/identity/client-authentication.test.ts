import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { createLogger, serverLine } from "@homcc/observability/log";
import { ClientAuthentication, type IdentitySettings } from "./client-authentication.ts";

async function withIdentity(
  changes: Partial<IdentitySettings>,
  use: (authentication: ClientAuthentication, log: () => string) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-identity-"));
  let log = "";
  const logger = createLogger("DEBUG", serverLine, (line) => (log += line));
  const settings: IdentitySettings = {
    identityFolder: join(folder, "identity"),
    store: join(folder, "store"),
    requiresCertificate: false,
    tlsCertificate: undefined,
    tlsKey: undefined,
    tlsClientAuthorities: undefined,
    tlsClientNames: { text: "any", includes: () => true },
    ...changes,
  };
  try {
    using authentication = await ClientAuthentication.open(settings, logger);
    const check = (jobsSeeAccount: boolean): void => authentication.checkJobs(jobsSeeAccount, false, logger);
    check(false);
    assert.doesNotMatch(log, /could read the pool's key/);
    if (settings.requiresCertificate)
      assert.throws(
        () => check(true),
        (error) => hasCode(error, "ERR_HOMCC_CONFIGURATION"),
      );
    else check(true);
    use(authentication, () => log);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("where jobs could read the pool's key it is said loudly, and pairings are not demanded in vain", async () => {
  await withIdentity({}, (_authentication, log) => {
    assert.match(log(), /WARNING.*could read the pool's key .*start homccd as root/);
  });
  await withIdentity({ requiresCertificate: true }, () => {});
});

test("a start says whom it serves", async () => {
  await withIdentity({}, (authentication) => {
    assert.match(
      authentication.describe("private"),
      /paired clients in TLS, pool .*; without authentication .*'private'/,
    );
    assert.ok(authentication.acceptance !== undefined);
  });
  await withIdentity({ requiresCertificate: true }, (authentication) => {
    assert.match(authentication.describe("private"), /^serving paired clients only, in TLS, pool/);
  });
});

test("a key in the store would be no secret: none is kept there, and where pairings are demanded the start is refused", async () => {
  for (const identityFolder of ["/cache/store", "/cache/store/keys", "/cache/store/a/../keys"]) {
    const inStore = { identityFolder, store: "/cache/store" };
    await withIdentity(inStore, (authentication, log) => {
      assert.equal(authentication.acceptance, undefined);
      assert.match(log(), /nobody can be paired: .*lies in the store/);
    });
    const demanding = withIdentity({ ...inStore, requiresCertificate: true }, () => {});
    await assert.rejects(demanding, (error) => hasCode(error, "ERR_HOMCC_CONFIGURATION"), identityFolder);
  }
});
