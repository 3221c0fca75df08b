/** Every client with every server, with objects that are the plain compiler's: `table.ts` is the list. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, test } from "node:test";
import { hasProgram, meets } from "../../support/requirements.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type BuildRow, buildPlainly, buildWithOurs, buildWithV1, type Outputs } from "./clients.ts";
import { limitTests } from "./limit.ts";
import { hasSandboxes, openPairingSite, type PairingSite, type ServerEnd } from "./pairing-site.ts";
import {
  builds,
  compilers,
  compressions,
  nameOf,
  type PairingName,
  pairings,
  type PlaceName,
  places,
  type Row,
  rows,
  whyNot,
} from "./table.ts";

const requirements = {
  schroot: ["root", { program: "schroot" }, "sandbox tree"],
  docker: ["root", { program: "dockerd" }, { program: "docker" }, "sandbox tree"],
  ssh: [{ program: "ssh" }, { program: "sshd" }],
} as const;

const offers: Readonly<Record<PlaceName, () => boolean>> = {
  schroot: () => hasSandboxes("schroot"),
  docker: () => hasSandboxes("dockerd"),
  ssh: () => hasProgram("sshd"),
};

const ends: Readonly<Record<PairingName, ServerEnd>> = {
  "our client, our server": "ours",
  "1.x client, our server": "ours",
  "our client, 1.x server": "v1",
  "1.x client, 1.x server": "relay",
};

/** Opened by the first test that has what all of them need. */
let opening: Promise<PairingSite> | undefined;
const plainBuilds = new Map<string, Promise<Outputs>>();

after(async () => {
  await (await opening)?.[Symbol.asyncDispose]();
});

/** Cells whose test has been run, or skipped for want of a program. */
const met = new Set<string>();

for (const pairing of pairings) {
  for (const row of rows.filter((each) => whyNot(pairing, each) === undefined)) {
    test(cellName(pairing, row), async (t) => {
      met.add(cellName(pairing, row));
      if (!meets(t, { pythonModule: "lzo" }, { program: "xz" })) return;
      opening ??= openPairingSite((place) => offers[place]());
      const site = await opening;
      if (row.kind === "refusal at the limit") {
        await limitTests[pairing](site);
        return;
      }
      if (!meets(t, { program: row.compiler })) return;
      if (row.place !== undefined && !meets(t, ...requirements[row.place])) return;
      const expected = await plainBuild(site, row);
      const found = await buildIn(site, pairing, row);
      for (const [name, bytes] of expected)
        assert.ok(found.get(name)?.equals(bytes), `another ${name} than the plain compiler's`);
      assert.deepEqual(await readdir(site.project), ["include", "src"], "something is left");
    });
  }
}

test("every cell of the table has been met, or says why there is none", () => {
  const kinds = [...compressions, ...compilers, ...Object.keys(builds), ...places, "refusal at the limit"];
  for (const pairing of pairings) {
    for (const kind of kinds) {
      const cells = rows.filter((row) => Object.values<string>(row).includes(kind));
      assert.ok(cells.length > 0, `no row for ${kind}`);
      for (const row of cells)
        assert.ok(
          met.has(cellName(pairing, row)) !== (whyNot(pairing, row) !== undefined),
          cellName(pairing, row),
        );
    }
  }
});

test("the 1.x server has found no byte that 1.x would not have sent, and as many jobs of each compression", async () => {
  const conversations = (await opening)?.conversations ?? [];
  const wrong = conversations.filter(
    ({ message_type: type, error }) => type !== undefined && error !== undefined,
  );
  assert.deepEqual(wrong, []);
  const countOf = (compression: string | undefined): number =>
    conversations.filter(({ arguments: asked }) => asked !== undefined && asked.compression === compression)
      .length;
  // It tells of a conversation when that is over.
  await waitFor(
    "all to be told",
    () => countOf(undefined) === countOf("lzo") && countOf("lzo") === countOf("lzma"),
  );
});

function cellName(pairing: PairingName, row: Row): string {
  return `${pairing}; ${nameOf(row)}`;
}

/** Compression is the client's and the server's matter: the plain build does not know it. */
function plainBuild(site: PairingSite, row: BuildRow): Promise<Outputs> {
  const name = `${row.build} ${row.compiler} ${row.place}`;
  const known = plainBuilds.get(name) ?? buildPlainly(site, row);
  plainBuilds.set(name, known);
  return known;
}

async function buildIn(site: PairingSite, pairing: PairingName, row: BuildRow): Promise<Outputs> {
  const end = ends[pairing];
  if (pairing.startsWith("our client")) {
    const port = site.ports[end];
    const host = row.place === "ssh" ? `@build:${port}` : `127.0.0.1:${port}`;
    return await buildWithOurs(site, row, { host, isV1: end === "v1" });
  }
  const ports = row.place === "ssh" ? site.forwardedPorts : site.ports;
  assert.ok(ports);
  return await buildWithV1(site, row, ports[end]);
}
