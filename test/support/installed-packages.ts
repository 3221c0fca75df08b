import { runCommand } from "./command.ts";
import { repository } from "./repository.ts";
import { systemPath } from "./workplace.ts";

/** Builds the Debian packages in a folder: `homcc.deb`, `homccd.deb`. Rejects with what was printed. */
export async function buildPackages(folder: string): Promise<void> {
  const words = ["scripts/deb.ts", "--compression", "gzip", "--output", folder];
  const { status, stdout, stderr } = await runCommand(["node_modules/.bin/node", ...words], {
    cwd: repository,
    environment: { PATH: systemPath },
    timeoutMs: 600_000,
  });
  if (status !== 0) throw new Error(stdout + stderr);
}

/** Shell text that installs packages of /packages, and says why when that fails. */
export const install = (...names: readonly string[]): string =>
  `( cd /packages; apt-get -qq install -y --no-install-recommends ${names.map((name) => `./${name}.deb`).join(" ")} >/dev/null 2>/tmp/apt ) || { cat /tmp/apt; exit 1; }`;

/** homccd as its account, with a store in /scratch; then the script, with no way to compile at home. */
export const withServer = (script: string): string => `
  install -d -o homcc /scratch/cache
  setpriv --reuid=homcc --regid=homcc --clear-groups env XDG_CACHE_HOME=/scratch/cache homccd >/scratch/log 2>&1 &
  until grep -q listening /scratch/log; do kill -0 $! || { cat /scratch/log; exit 1; }; done
  mkdir /scratch/project; cd /scratch/project
  printf '#include <vector>\\nint f() { return std::vector<int>(3).size(); }\\n' >a.cpp
  printf '#include <stdio.h>\\nint g(void) { return puts("g"); }\\n' >b.c
  export HOMCC_HOSTS=127.0.0.1/4 HOMCC_DIR=/scratch/homcc HOMCC_NO_LOCAL_COMPILATION=1
  ${script}`;

/** A compile by prefix and one through the masquerade links, each compared with what the compiler itself makes. */
export const compileThroughPackages = `
  g++ -O2 -g -c a.cpp -o plain.o; gcc -O2 -c b.c -o plain-c.o
  homcc --verbose g++ -O2 -g -c a.cpp -o far.o 2>&1; cmp far.o plain.o
  PATH=/usr/lib/homcc/masquerade:$PATH; HOMCC_VERBOSE=1 gcc -O2 -c b.c -o far-c.o 2>&1; cmp far-c.o plain-c.o
  homcc doctor; cat /scratch/log`;
