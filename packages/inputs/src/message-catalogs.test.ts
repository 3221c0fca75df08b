import assert from "node:assert/strict";
import { test } from "node:test";
import { messageCatalogs } from "./message-catalogs.ts";

function languages(environment: Record<string, string>): string[] {
  const paths = messageCatalogs(environment, "/usr/bin/gcc", "12");
  return [...new Set(paths.map((path) => path.split("/")[4] ?? ""))];
}

test("the languages that gettext would look for", () => {
  for (const environment of [
    {},
    { LANG: "C" },
    { LC_ALL: "POSIX", LANGUAGE: "de" },
    { LANG: "C.UTF-8" },
    { LANG: "" },
  ]) {
    assert.deepEqual(languages(environment), [], JSON.stringify(environment));
  }
  assert.deepEqual(
    languages({ LANG: "de_DE.UTF-8" }).sort(),
    ["de", "de.UTF-8", "de.utf8", "de_DE", "de_DE.UTF-8", "de_DE.utf8"].sort(),
  );
  assert.deepEqual(languages({ LANG: "de", LC_MESSAGES: "fr" }), ["fr"]);
  assert.deepEqual(languages({ LANG: "C.UTF-8", LANGUAGE: "pt_BR:sv" }), ["pt_BR", "pt", "sv"]);
  assert.ok(languages({ LANG: "sr_RS@latin" }).includes("sr@latin"));
  assert.deepEqual(languages({ LANG: "../../x" }), []);
});

test("catalogs of the compiler's version, in its own prefix too", () => {
  const paths = messageCatalogs({ LANG: "de" }, "/opt/gcc/bin/g++", "13");
  assert.ok(paths.includes("/usr/share/locale/de/LC_MESSAGES/gcc-13.mo"));
  assert.ok(paths.includes("/opt/gcc/share/locale/de/LC_MESSAGES/cpplib.mo"));
});
