/** docs/build-systems.md: every block of it that says so is run as it stands, and all compiles come back from a server. */
import assert from "node:assert/strict";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { type Files, writeFiles } from "../support/files.ts";
import { createRemoteSite, type RemoteSite } from "../support/remote-site.ts";
import { homccProgram, repository } from "../support/repository.ts";
import { meets, type Requirement } from "../support/requirements.ts";
import { systemPath } from "../support/workplace.ts";

interface Block {
  readonly name: string;
  readonly language: string;
  readonly text: string;
}

const document = await readFile(join(repository, "docs/build-systems.md"), "utf8");
const blocks: readonly Block[] = [
  ...document.matchAll(/^<!-- tried: (\S+) -->\n```(\w+)\n(.*?)^```$/gms),
].map(([, name = "", language = "", text = ""]) => ({ name, language, text }));

const makefile = "app: a.o main.o\n\t$(CXX) a.o main.o -o app\n.cpp.o:\n\t$(CXX) -c $<\n.SUFFIXES: .cpp .o\n";
const cmake: Files = {
  "CMakeLists.txt":
    "cmake_minimum_required(VERSION 3.16)\nproject(p CXX)\nadd_executable(app a.cpp main.cpp)\n",
};
const debian: Files = {
  Makefile: `${makefile}install:\n\tinstall -D app $(DESTDIR)/usr/bin/tried-app\n`,
  "debian/control":
    "Source: tried\nMaintainer: Nobody <nobody@example.org>\nBuild-Depends: debhelper-compat (= 13)\n\nPackage: tried\nArchitecture: any\nDepends: ${misc:Depends}, ${shlibs:Depends}\nDescription: two files\n",
  "debian/changelog":
    "tried (1) unstable; urgency=low\n\n  * First.\n\n -- Nobody <nobody@example.org>  Mon, 04 Mar 2024 05:06:07 +0000\n",
  "debian/rules": { content: "#!/usr/bin/make -f\n%:\n\tdh $@\n", mode: 0o755 },
};
/** What autoconf's scripts do: a test program by way of standard tools, and a Makefile. */
const configure: Files = {
  configure: {
    content: `#!/bin/sh
for assignment in "$@"; do eval "\${assignment%%=*}='\${assignment#*=}'"; done
echo 'int main() { return 0; }' > conftest.cpp
words=$($CXX -c conftest.cpp -o conftest.o 2>&1) && test -z "$words" || { echo "no working compiler: $words"; exit 1; }
printf 'CXX=%s\\n' "$CXX" > Makefile
cat Makefile.in >> Makefile
`,
    mode: 0o755,
  },
  "Makefile.in": makefile,
};

interface Trial {
  readonly files: Files;
  readonly requires: readonly Requirement[];
  /** What is run when that is not the block itself. */
  readonly script?: (block: string) => string;
}

const make: Trial = { files: { Makefile: makefile }, requires: [{ program: "make" }] };
const trials: Readonly<Record<string, Trial>> = {
  cmake: { files: cmake, requires: [{ program: "cmake" }, { program: "make" }] },
  "cmake-environment": { files: cmake, requires: [{ program: "cmake" }, { program: "ninja" }] },
  meson: {
    files: { "meson.build": "project('p', 'cpp')\nexecutable('app', 'a.cpp', 'main.cpp')\n" },
    requires: [{ program: "meson" }, { program: "ninja" }],
  },
  make,
  configure: { files: configure, requires: [{ program: "make" }] },
  masquerade: make,
  ccache: { ...make, requires: [{ program: "make" }, { program: "ccache" }] },
  "dpkg-buildpackage": { files: debian, requires: [{ program: "dpkg-buildpackage" }, { program: "dh" }] },
  sudo: {
    ...make,
    requires: [{ program: "make" }, { program: "sudo" }, "root"],
    // What the test itself sets does not get through sudo either.
    script: (block) =>
      block.replace("sudo env", "sudo env HOMCC_JOB_LOG=$HOMCC_JOB_LOG HOMCC_AGENT_IDLE_TIME=5"),
  },
  presets: {
    files: cmake,
    requires: [{ program: "cmake" }, { program: "make" }],
    script: () => "cmake --preset homcc && cmake --build --preset homcc",
  },
  container: { ...make, requires: [{ program: "make" }, { program: "unshare" }, "root"] },
};

let site: RemoteSite;
before(async () => {
  site = await createRemoteSite();
  const { folder, homccFolder } = site.workplace;
  await mkdir(join(folder, "bin"));
  await symlink(homccProgram, join(folder, "bin/homcc"));
  // What the blocks call the user's settings: they name no variables for what is in files.
  await symlink(homccFolder, join(folder, "home/.homcc"));
  await writeFile(join(homccFolder, "hosts"), `${site.server.address}/4\n`);
  await chmod(homccFolder, 0o700);
});
after(() => site?.[Symbol.asyncDispose]());
beforeEach(() => site.reset());

test("every block that says so is tried", () => {
  assert.deepEqual(
    blocks.map(({ name }) => name),
    Object.keys(trials),
  );
});

for (const { name, language, text } of blocks) {
  test(`as written: ${name}`, async (t) => {
    const trial = trials[name];
    assert.ok(trial !== undefined);
    if (!meets(t, ...trial.requires)) return;
    const { folder, project } = site.workplace;
    await writeFiles(project, trial.files);
    if (language === "json") await writeFile(join(project, "CMakeUserPresets.json"), text);
    await site.expectRemote(2, trial.script?.(text) ?? text, {
      PATH: `${join(folder, "bin")}:${systemPath}`,
      CCACHE_DIR: join(folder, "ccache"),
      HOMCC_AGENT_IDLE_TIME: "5",
    });
  });
}
