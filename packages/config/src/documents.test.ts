import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { outcomes } from "@homcc/observability/outcomes";
import { renderConfigurationDocument, renderOutcomesDocument } from "./documents.ts";
import { parseFlags } from "./flags.ts";
import { renderHelp } from "./help.ts";
import { keysOf, optionsOf, type Program } from "./options.ts";
import { renderTroubleshootingDocument } from "./troubleshooting.ts";
import { version } from "./version.ts";

const programs: readonly Program[] = ["homcc", "homccd"];
const root = new URL("../../../", import.meta.url);

test("the documents are those of the tables", async () => {
  const stale = "run: node scripts/docs.ts";
  assert.equal(
    await readFile(new URL("docs/configuration.md", root), "utf8"),
    renderConfigurationDocument(),
    stale,
  );
  assert.equal(await readFile(new URL("docs/outcomes.md", root), "utf8"), renderOutcomesDocument(), stale);
  assert.equal(
    await readFile(new URL("docs/troubleshooting.md", root), "utf8"),
    renderTroubleshootingDocument(),
    stale,
  );
});

test("every flag, variable, key and default of the table is in --help and in the document, and no other", () => {
  const document = renderConfigurationDocument();
  for (const program of programs) {
    const help = renderHelp(program);
    const options = optionsOf(program);
    const words = options.flatMap(([, option]) => [
      ...option.flags,
      ...option.variables,
      ...keysOf(option),
      ...[option.default, option.computedDefault].filter((given) => given !== undefined),
    ]);
    for (const word of words) {
      assert.ok(help.replaceAll(/\s+/g, " ").includes(word), `--help of ${program} lacks ${word}`);
      assert.ok(document.includes(word), `docs/configuration.md lacks ${word}`);
    }
    const flags = new Set(options.flatMap(([, option]) => option.flags));
    for (const [flag] of help.matchAll(/(?<=^ {2}|, )--?[a-z][a-z_-]*/gm)) assert.ok(flags.has(flag), flag);
    assert.ok(help.split("\n").every((line) => line.length <= 100));
  }
  const variables = new Set(
    programs.flatMap((program) => optionsOf(program).flatMap(([, option]) => option.variables)),
  );
  for (const [variable] of document.matchAll(/\bHOMCCD?_[A-Z_]+/g))
    assert.ok(variables.has(variable), variable);
});

test("flags, variables and keys are unique, and defaults are allowed values", () => {
  for (const program of programs) {
    const options = optionsOf(program);
    for (const words of [
      options.flatMap(([, option]) => option.flags),
      options.flatMap(([, option]) => option.variables),
      options.flatMap(([, option]) => keysOf(option)),
    ]) {
      assert.equal(new Set(words).size, words.length);
    }
    for (const [name, option] of options) {
      if (option.default !== undefined)
        assert.notEqual(option.type.parse(option.default, "file"), undefined, name);
    }
  }
});

test("every flag of the table is understood", () => {
  for (const program of programs) {
    for (const [name, option] of optionsOf(program)) {
      for (const flag of option.flags) {
        const value = option.type.metavar === "" ? "1" : (option.default ?? samples[name] ?? "");
        const argv = option.type.metavar === "" ? [flag] : [flag, value];
        assert.deepEqual(parseFlags(program, argv), { kind: "parsed", values: { [name]: value }, rest: [] });
      }
    }
  }
});

const samples: Readonly<Record<string, string>> = {
  log_level: "INFO",
  host: "remote:80/3,lzo",
  schroot_profile: "jammy",
  docker_container: "box",
  limit: "7",
  store: "/store",
  replay_dir: "/records",
  user: "builder",
  max_rate_per_client: "100",
  max_storage_per_client: "5G",
  access_log: "/access.log",
  identity_dir: "/keys",
  tls_certificate: "/server.pem",
  tls_key: "/server.pem",
  tls_client_ca: "/company.pem",
};

test("numbers of outcomes are unique and in the document", () => {
  const numbers = Object.values(outcomes).map(({ number }) => number);
  assert.equal(new Set<number>(numbers).size, numbers.length);
  const document = renderOutcomesDocument();
  for (const [name, { number, label }] of Object.entries(outcomes)) {
    assert.ok(document.includes(`| ${number} | \`${name}\` | ${label} |`), name);
  }
});

test("every outcome has a section with its cure, by number", () => {
  const document = renderTroubleshootingDocument();
  const found = Array.from(document.matchAll(/^## (\d+): /gm), ([, number]) => Number(number));
  const numbers = Object.values(outcomes).map(({ number }) => number);
  assert.deepEqual(
    found,
    numbers.toSorted((one, other) => one - other),
  );
  for (const { cure } of Object.values(outcomes)) assert.ok(document.includes(`**What to do.** ${cure}\n`));
});

test("the version is that of package.json", async () => {
  const manifest: unknown = JSON.parse(await readFile(new URL("package.json", root), "utf8"));
  assert.ok(typeof manifest === "object" && manifest !== null && "version" in manifest);
  assert.equal(manifest.version, version);
});
