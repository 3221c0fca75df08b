/** A compiler is replaced as packages are while a build runs: no object is made by half of one version and half of the other. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createDebianRelease, type DebianRelease } from "../../support/debian-release.ts";
import { writeFiles } from "../../support/files.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

type Version = "old" | "new";

/** What the object tells of the compiler proper, which writes its version into it, and of the driver's specs. */
interface Made {
  readonly compiler: Version;
  readonly specs: Version;
  readonly host: string;
}

interface BuiltFile {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly made: Made;
}

/** Moments between which a part was replaced. */
interface Replacement {
  readonly beforeMs: number;
  readonly afterMs: number;
}

const compiler = "$(g++ -print-prog-name=cc1plus)";
const specs = "$(dirname $(g++ -print-libgcc-file-name))/specs";
const writeSpecs = (version: Version, path: string): string =>
  `g++ -dumpspecs | sed '/^[*]cc1plus:/{n;s/$/ -DSPECS=specs_${version}/}' > "${path}"`;
/** As dpkg: beside the old file, and by renaming. The compiler proper says another version that is as long. */
const upgrade = {
  compiler: `c=${compiler}; sed 's/(Debian \\([0-9.]*\\)-[0-9]*)/(Debian \\1-~~)/g' "$c" | head -c "$(stat -c %s "$c")" > "$c.dpkg-new"
chmod +x "$c.dpkg-new"; mv "$c.dpkg-new" "$c"`,
  specs: `s=${specs}; ${writeSpecs("new", "$s.dpkg-new")}; mv "$s.dpkg-new" "$s"`,
};

const workers = 3;
const enough = 5;

for (const order of ["client, then server", "server, then client"] as const) {
  test(`upgraded during a build: ${order}: every object is of one version, and of the client's at that moment`, async (t) => {
    if (!meets(t, "root", "release tree")) return;
    await using home = await createDebianRelease();
    await using away = await createDebianRelease();
    for (const machine of [home, away]) await machine.run(`s=${specs}; ${writeSpecs("old", "$s")}`);
    await using server = await startServer({ prefix: away.prefix() });
    await using workplace = await createWorkplace({
      hosts: `${server.address}/4`,
      forbidLocal: false,
      prefix: (cwd) => home.prefix(cwd),
    });
    const build = startBuild(workplace);
    /** Until the build has done so many more of these. */
    const more = async (what: string, isWanted: (made: Made) => boolean = () => true): Promise<unknown> => {
      const sinceMs = performance.now();
      const wanted = (): BuiltFile[] =>
        build.files.filter(({ startedMs, made }) => startedMs > sinceMs && isWanted(made));
      return await waitFor(`files ${what}`, () => build.failure() ?? wanted().length >= enough, 60_000);
    };
    const fromServer =
      (specsVersion: Version) =>
      ({ host, specs: version }: Made): boolean =>
        host === server.address && version === specsVersion;
    const upgradeServer = async (): Promise<void> => {
      await replace(away, upgrade.compiler);
      await replace(away, upgrade.specs);
    };

    await more("from the server", fromServer("old"));
    if (order === "server, then client") {
      await upgradeServer();
      await more("from the server, by the old compiler again", fromServer("old"));
    }
    const first = await replace(home, upgrade.compiler);
    await more("between the two renames");
    const second = await replace(home, upgrade.specs);
    await more("after the upgrade");
    if (order === "client, then server") await upgradeServer();
    await more("from the server, by the new compiler", fromServer("new"));
    await build.stop();

    for (const { startedMs, endedMs, made } of build.files) {
      const when = `from ${startedMs - first.beforeMs} to ${endedMs - first.beforeMs} ms, ${JSON.stringify(made)}`;
      // The driver reads its specs before it starts the compiler proper, which was replaced first.
      if (made.specs === "new") assert.equal(made.compiler, "new", when);
      if (endedMs < first.beforeMs) assert.equal(made.compiler, "old", when);
      if (endedMs < second.beforeMs) assert.equal(made.specs, "old", when);
      if (startedMs > first.afterMs) assert.equal(made.compiler, "new", when);
      if (startedMs > second.afterMs) assert.equal(made.specs, "new", when);
    }
  });
}

async function replace(machine: DebianRelease, script: string): Promise<Replacement> {
  const beforeMs = performance.now();
  await machine.run(script);
  return { beforeMs, afterMs: performance.now() };
}

interface Build {
  readonly files: readonly BuiltFile[];
  failure(): undefined;
  stop(): Promise<void>;
}

/** Compiles one file after the other, some at a time, until it is stopped. */
function startBuild(workplace: Workplace): Build {
  const files: BuiltFile[] = [];
  const stopping = new AbortController();
  let failed: { readonly error: unknown } | undefined;
  let count = 0;
  const work = async (): Promise<void> => {
    while (!stopping.signal.aborted) files.push(await compile(workplace, `f${count++}`));
  };
  const working = Promise.all(
    Array.from({ length: workers }, () =>
      work().catch((error: unknown) => {
        stopping.abort();
        failed = { error };
      }),
    ),
  );
  const failure = (): undefined => {
    if (failed !== undefined) throw failed.error;
  };
  return {
    files,
    failure,
    stop: async () => {
      stopping.abort();
      await working;
      failure();
    },
  };
}

async function compile(workplace: Workplace, name: string): Promise<BuiltFile> {
  const text = `#define TEXT_(x) #x\n#define TEXT(x) TEXT_(x)\nextern const char ${name}[] = TEXT(SPECS);\n`;
  await writeFiles(workplace.project, { [`${name}.cpp`]: text });
  const startedMs = performance.now();
  const result = await workplace.run([homccProgram, "g++", "-c", `${name}.cpp`]);
  const endedMs = performance.now();
  assert.equal(result.status, 0, result.stderr);
  const object = (await readFile(join(workplace.project, `${name}.o`))).toString("latin1");
  const record = await waitFor("the job's record", async () =>
    (await workplace.jobs()).find(({ source }) => source === `${name}.cpp`),
  );
  const made = {
    compiler: /\(Debian [0-9.]*-~~/.test(object) ? "new" : "old",
    specs: object.includes("specs_new") ? "new" : "old",
    host: record.host,
  } as const;
  assert.match(object, /specs_(old|new)\0/);
  return { startedMs, endedMs, made };
}
