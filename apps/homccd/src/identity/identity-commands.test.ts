import assert from "node:assert/strict";
import { lstat, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { keptFormats, spoil, spoilings } from "../../../../test/support/kept-formats.ts";
import { runIdentityCommand } from "./identity-commands.ts";

const nowMs = Date.parse("2026-01-31T12:00:00Z");

/** One file of a folder of identities is what this version does not understand; what an administrator asks for is done or refused. */
test("secrets and revocations that are not understood are told of and never replaced; records keep nobody from revoking", async () => {
  for (const format of keptFormats.filter(({ place }) => place === "identity")) {
    for (const spoiling of spoilings) {
      const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
      try {
        const what = `${format.name} ${spoiling}`;
        const identityFolder = join(folder, "identity");
        const settings = {
          identityFolder,
          store: join(folder, "store"),
          addresses: ["127.0.0.1"],
          port: 3126,
          limit: 4,
          tlsClientAuthorities: undefined,
          accessLog: undefined,
        };
        const administer = async (command: "pair" | "clients" | "revoke", ...words: string[]) =>
          await runIdentityCommand(command, words, settings, nowMs);
        await administer("pair", "--name", "alice", "--host", "office:3126/4");
        await administer("revoke", "eve");
        const paths: Readonly<Record<string, string>> = {
          "pool.pem": "pool.pem",
          revoked: "revoked",
          clients: `clients/alice.${nowMs}.json`,
        };
        const path = join(identityFolder, paths[format.name] ?? "");
        spoil(path, spoiling, format);
        const before = { mode: (await lstat(path)).mode, text: await readFile(path).catch(String) };
        const refuses = async (command: Promise<unknown>): Promise<void> => {
          await assert.rejects(command, (error) => hasCode(error, "ERR_HOMCC_CONFIGURATION"), what);
          const after = { mode: (await lstat(path)).mode, text: await readFile(path).catch(String) };
          assert.deepEqual(after, before, what);
        };
        const isNoFile = spoiling === "a folder" || spoiling === "unreadable";
        if (format.name === "pool.pem")
          await refuses(administer("pair", "--name", "bob", "--host", "office"));
        else if (format.name === "revoked" && isNoFile) {
          await refuses(administer("clients"));
          await refuses(administer("pair", "--name", "bob", "--host", "office:3126/4"));
        } else {
          await administer("clients");
          await administer("revoke", "alice");
          assert.match(await readFile(join(identityFolder, "revoked"), "utf8"), /^alice 20/m, what);
        }
      } finally {
        await rm(folder, { recursive: true });
      }
    }
  }
});
