/** What a toolchain's digest covers: each part is changed, and the digest must change, also for an agent that knew the compiler. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { createDebianRelease, type DebianRelease } from "../../support/debian-release.ts";
import { repository } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import type { AskedToolchain, ToolchainAnswer } from "../../support/toolchain-asker.ts";
import { createWorkplace, systemPath } from "../../support/workplace.ts";

interface Change {
  readonly what: string;
  /** Shell commands as root of a machine of the test's own. What they do stays for the rows behind. */
  readonly script: string;
  /** What it makes of the compiler. A refused one compiles at home. */
  readonly makes: "another" | "the same" | RegExp;
}

/** Bytes behind its end make no other program of it. */
const grow = (path: string): string => `printf '\\0' >> "$(realpath ${path})"`;
const libraryOf = (program: string, name: string): string =>
  `"$(ldd ${program} | sed -n 's/.*=> \\(.*\\/${name}[^ ]*\\) .*/\\1/p')"`;

const install = '"$(dirname "$(g++ -print-libgcc-file-name)")"';
const cc1plus = '"$(g++ -print-prog-name=cc1plus)"';

const targetFolder = '"/usr/$(gcc -dumpmachine)"';

const changesOfGcc: readonly Change[] = [
  { what: "driver", script: grow("/usr/bin/g++"), makes: "another" },
  { what: "compiler proper", script: grow(cc1plus), makes: "another" },
  { what: "compiler proper of C", script: grow('"$(g++ -print-prog-name=cc1)"'), makes: "another" },
  { what: "assembler", script: grow("/usr/bin/as"), makes: "another" },
  { what: "objcopy", script: grow("/usr/bin/objcopy"), makes: "another" },
  { what: "library of the compiler", script: grow(libraryOf(cc1plus, "libmpfr")), makes: "another" },
  { what: "library of the assembler", script: grow(libraryOf("/usr/bin/as", "libbfd")), makes: "another" },
  { what: "C library", script: grow(libraryOf("/usr/bin/as", "libc.so")), makes: "another" },
  { what: "loader", script: grow("/lib64/ld-linux-x86-64.so.2"), makes: "another" },
  { what: "header of its own", script: `echo >> ${install}/include/stddef.h`, makes: "another" },
  { what: "new header of its own", script: `touch ${install}/include/new.h`, makes: "another" },
  { what: "new folder of its own", script: `mkdir ${install}/include/new`, makes: "another" },
  {
    what: "new plug-in",
    script: `mkdir -p ${install}/plugin; touch ${install}/plugin/p.so`,
    makes: "another",
  },
  {
    what: "specs of the target's libraries",
    script: `mkdir -p ${targetFolder}/lib && gcc -dumpspecs > ${targetFolder}/lib/specs`,
    makes: "another",
  },
  {
    what: "these specs change",
    script: `printf '*unused:\\nword\\n\\n' >> ${targetFolder}/lib/specs`,
    makes: "another",
  },
  { what: "specs where gcc looks for none", script: "gcc -dumpspecs > /usr/lib/specs", makes: "the same" },
  { what: "specs of its own", script: `gcc -dumpspecs > ${install}/specs`, makes: "another" },
  {
    what: "an assembler for this target only",
    script: `mkdir -p ${targetFolder}/bin && cp /usr/bin/as ${targetFolder}/bin/`,
    makes: "another",
  },
  { what: "an objcopy earlier in PATH", script: "cp /usr/bin/objcopy /usr/local/bin/", makes: "another" },
  {
    what: "a library that the loader's cache has first",
    script: `cp ${libraryOf(cc1plus, "libmpfr")} /usr/local/lib/libmpfr.so.6 && ldconfig`,
    makes: "another",
  },
  {
    what: "a library for every program",
    script: `cp ${libraryOf("/usr/bin/as", "libz.so")} /opt/preloaded.so && echo /opt/preloaded.so > /etc/ld.so.preload`,
    makes: "another",
  },
  { what: "that library changes", script: grow("/opt/preloaded.so"), makes: "another" },
  { what: "no library for every program", script: "rm /etc/ld.so.preload", makes: "another" },
  { what: "linker", script: grow("/usr/bin/ld"), makes: "the same" },
  { what: "link-time optimiser", script: grow('"$(g++ -print-prog-name=lto1)"'), makes: "the same" },
  { what: "linker's plug-in", script: grow('"$(g++ -print-prog-name=liblto_plugin.so)"'), makes: "the same" },
  { what: "static library", script: `printf x >> ${install}/libgcc.a`, makes: "the same" },
  { what: "program of the same package", script: grow("/usr/bin/nm"), makes: "the same" },
  {
    what: "a library is gone",
    script: `mv ${libraryOf(cc1plus, "libisl")} /opt/libisl`,
    makes: /needs libisl\S+, which its loader does not find/,
  },
  {
    what: "it is back",
    script: 'mv /opt/libisl "/usr/lib/$(gcc -dumpmachine)/libisl.so.23"',
    makes: "another",
  },
  {
    what: "a script as assembler",
    script:
      'f="/usr/$(gcc -dumpmachine)/bin/as"; rm $f; printf "#!/bin/sh\\nexec /usr/bin/as \\"\\$@\\"\\n" > $f; chmod +x $f',
    makes: /as is no program of this machine/,
  },
];

const resources = '"$(clang -print-resource-dir)"';
const ownGcc = '"/usr/lib/gcc/$(gcc -dumpmachine)"';

const changesOfClang: readonly Change[] = [
  { what: "driver and compiler", script: grow("/usr/bin/clang"), makes: "another" },
  { what: "LLVM", script: grow(libraryOf("/usr/bin/clang", "libLLVM")), makes: "another" },
  { what: "its library", script: grow(libraryOf("/usr/bin/clang", "libclang-cpp")), makes: "another" },
  { what: "C++ library it uses", script: grow(libraryOf("/usr/bin/clang", "libstdc..")), makes: "another" },
  { what: "header of its own", script: `echo >> ${resources}/include/stddef.h`, makes: "another" },
  { what: "new header of its own", script: `touch ${resources}/include/new.h`, makes: "another" },
  { what: "assembler", script: grow("/usr/bin/as"), makes: "another" },
  { what: "objcopy", script: grow("/usr/bin/objcopy"), makes: "another" },
  {
    what: "an assembler that is called by the target",
    script: 'cp /usr/bin/as "/usr/local/bin/$(clang -dumpmachine)-as"',
    makes: "another",
  },
  { what: "file of the chosen gcc", script: `echo >> ${install}/include/stddef.h`, makes: "another" },
  { what: "folder of a gcc without a gcc in it", script: `mkdir ${ownGcc}/99`, makes: "the same" },
  { what: "another gcc to choose", script: `cp ${install}/crtbegin.o ${ownGcc}/99/`, makes: "another" },
  {
    what: "a gcc of another name of the target",
    script: `mkdir -p /usr/lib/gcc/x86_64-pc-linux-gnu/98 && cp ${install}/crtbegin.o /usr/lib/gcc/x86_64-pc-linux-gnu/98/`,
    makes: "another",
  },
  {
    what: "a file of options",
    script: 'echo -O1 > "$(dirname "$(realpath /usr/bin/clang)")/clang.cfg"',
    makes: "another",
  },
  {
    what: "the options in it",
    script: 'echo -O2 > "$(dirname "$(realpath /usr/bin/clang)")/clang.cfg"',
    makes: "another",
  },
  {
    what: "a library that its own RUNPATH finds first",
    script: `cp ${libraryOf("/usr/bin/clang", "libstdc..")} "$(dirname "$(realpath /usr/bin/clang)")/../lib/libstdc++.so.6"`,
    makes: "another",
  },
  { what: "libraries for the linker", script: `touch ${resources}/lib/linux/libx.a || :`, makes: "the same" },
];

const tables = [
  { family: "gcc", driver: "g++", changes: changesOfGcc },
  { family: "clang", driver: "clang", changes: changesOfClang },
] as const;

for (const { family, driver, changes } of tables) {
  test(`what makes another toolchain of ${family}`, async (t: TestContext) => {
    if (!meets(t, "root", "release tree")) return;
    await using release = await createDebianRelease();
    const [real = ""] = (await release.run(`realpath /usr/bin/${driver}`)).split("\n");
    await using asker = await startAsker(release);
    const question: AskedToolchain = { driver: real, family, path: systemPath };
    let before = await asker.ask(question);
    assert.match(before.live, /^[0-9a-f]{64}\//);
    for (const { what, script, makes } of changes) {
      await release.run(script);
      const { live, fresh } = await asker.ask(question);
      assert.equal(live, fresh, `${what}: noticed by whom knew the compiler`);
      if (makes === "the same") assert.equal(live, before.live, what);
      else if (makes === "another") {
        assert.match(live, /^[0-9a-f]{64}\//, what);
        assert.notEqual(live, before.live, what);
      } else assert.match(live, makes, what);
      before = { live, fresh };
    }
  });
}

interface Asker extends AsyncDisposable {
  ask(question: AskedToolchain): Promise<ToolchainAnswer>;
}

async function startAsker(release: DebianRelease): Promise<Asker> {
  const workplace = await createWorkplace();
  const [program, ...words] = [
    ...release.prefix(),
    join(repository, "dist/node"),
    join(repository, "test/support/toolchain-asker.ts"),
    join(workplace.folder, "digests"),
  ];
  const child = spawn(program, words, {
    env: { PATH: systemPath, NODE_NO_WARNINGS: "1" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    ask: async (question) => {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await lines.next();
      assert.ok(done !== true);
      const answer: ToolchainAnswer = JSON.parse(value);
      return answer;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await workplace[Symbol.asyncDispose]();
    },
  };
}
