import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as fc from "fast-check";
import { digestOf } from "@homcc/cas/digest";
import { recordHostileRequest, recordMalformedInput } from "../../../test/support/reliability.ts";
import { contentBytes, readManifest } from "./manifest-reader.ts";
import { encodeManifest, sortEntries } from "./toolchain-manifest.ts";
import type { ToolchainEntry } from "./toolchain.ts";

const bounds = { maxBytes: 100_000, maxEntries: 1000, maxPathLength: 200 };
const digest = digestOf(Buffer.from("x"));

const read = (text: string): readonly ToolchainEntry[] => readManifest(Buffer.from(text), bounds);
const listing = (...lines: readonly unknown[]): string =>
  `homcc toolchain 1\n${lines.map((line) => `${JSON.stringify(line)}\n`).join("")}`;

/** A tree without contradictions: folders have names of their own. */
const entries: fc.Arbitrary<ToolchainEntry[]> = fc
  .uniqueArray(
    fc.stringMatching(/^[a-z0-9é"\\ ]{1,8}$/).filter((name) => name.isWellFormed()),
    { maxLength: 12 },
  )
  .chain((names) =>
    fc.tuple(
      ...names.map((name, index) =>
        fc.constantFrom<ToolchainEntry>(
          { kind: "file", path: `/d${index}/f${name}`, digest, executable: index % 2 === 0 },
          { kind: "directory", path: `/d${index}/d${name}` },
          { kind: "symlink", path: `/d${index}/l${name}`, target: `../${name}` },
        ),
      ),
    ),
  )
  .map((made) => sortEntries(made));

test("what is written is read", () => {
  fc.assert(
    fc.property(entries, (made) => {
      assert.deepEqual(readManifest(encodeManifest(made), bounds), made);
    }),
  );
});

test("whatever bytes come, they are a manifest in exactly these bytes or are refused", () => {
  let tried = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(400), entries, (noise, at, made) => {
      const bytes = Buffer.from(encodeManifest(made));
      const broken = Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at + noise.length)]);
      try {
        assert.deepEqual(Buffer.from(encodeManifest(readManifest(broken, bounds))), broken);
      } catch (error) {
        assert.match(String(error), /cannot be used/);
      }
      tried += 1;
    }),
  );
  recordMalformedInput("the list of a toolchain's files", { tried, crashes: 0 });
});

test("each content counts once", () => {
  const twice = listing(["file", "/a", digest, true], ["file", "/b", digest, false]);
  assert.equal(contentBytes(read(twice)), 1);
});

const hostile: readonly (readonly [string, string, RegExp])[] = [
  ["another format", "homcc toolchain 2\n", /first line/],
  ["no end", `${listing(["directory", "/a"])}["directory","/b"]`, /no end/],
  ["climbing out", listing(["file", "/a/../../etc/passwd", digest, false]), /plain path/],
  ["a relative path", listing(["directory", "usr"]), /plain path/],
  ["NUL", listing(["directory", "/a\0b"]), /plain path/],
  ["half a character", 'homcc toolchain 1\n["directory","/\\ud800"]\n', /plain path/],
  ["a path that is too long", listing(["directory", `/${"a".repeat(200)}`]), /plain path/],
  ["a double slash", listing(["directory", "/a//b"]), /plain path/],
  ["the root itself", listing(["directory", "/"]), /plain path/],
  ["below a link", listing(["symlink", "/a", "/etc"], ["file", "/a/passwd", digest, false]), /below/],
  ["below a file", listing(["file", "/a", digest, false], ["directory", "/a/b"]), /below/],
  ["a folder that is a file", listing(["directory", "/a/b"], ["file", "/a", digest, false]), /too late/],
  ["twice", listing(["directory", "/a"], ["directory", "/a"]), /too late/],
  ["the machine's processes", listing(["symlink", "/proc/self", "1"]), /no place/],
  ["devices", listing(["file", "/dev/null", digest, false]), /no place/],
  ["a link to nowhere", listing(["symlink", "/a", ""]), /nowhere/],
  ["a device node", listing(["device", "/a", 8, 1]), /no entry/],
  ["a mode", listing(["file", "/a", digest, 0o4755]), /no entry/],
  ["more than a file has", listing(["file", "/a", digest, true, "root"]), /no entry/],
  ["no digest", listing(["file", "/a", "abc/1", true]), /no entry/],
  ["no array", 'homcc toolchain 1\n{"kind":"directory"}\n', /no entry/],
  ["blanks", 'homcc toolchain 1\n["directory", "/a"]\n', /not written/],
  ["deep nesting", `homcc toolchain 1\n${"[".repeat(50_000)}\n`, /no entry/],
  [
    "too many",
    listing(...Array.from({ length: 1001 }, (_, index) => ["directory", `/${10_000 + index}`])),
    /more than 1000/,
  ],
  ["too long", `homcc toolchain 1\n${" ".repeat(100_000)}`, /more than 100000 bytes/],
];

let refused = 0;
after(() =>
  recordHostileRequest("a toolchain whose list of files breaks the rules", { tried: refused, refused }),
);

for (const [what, text, why] of hostile) {
  test(`refused: ${what}`, () => {
    assert.throws(() => read(text), why);
    refused += 1;
  });
}
