/** Projects outside the folder for temporary files, of which a job has its own: the paths must be the same there. */
import { mkdtempSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { differentialSuite } from "../../support/differential.ts";

const parent = mkdtempSync(join(homedir(), "homcc-test-home-"));
after(() => rmSync(parent, { recursive: true, force: true }));

const files = {
  "src/a.cpp":
    '#include "h.h"\n#include <string>\nstd::string value() { return std::string(VALUE) + __FILE__; }\n',
  "include/h.h": '#define VALUE "x"\n',
};

differentialSuite(
  [
    { name: "below the home folder", files, command: "$CXX -g -Iinclude -c src/a.cpp -o a.o -MD" },
    {
      name: "absolute paths below the home folder",
      files,
      command: "$CXX -g -I$ROOT/include -c $ROOT/src/a.cpp -o $ROOT/a.o -MD",
    },
    {
      name: "a file of /etc and one of /var/tmp as headers",
      files: { "a.c": '#include "/etc/hostname.h"\n#include "$ROOT/h.h"\n', "h.h": "" },
      command: "$CC -c a.c",
      expect: "remote-error",
    },
    {
      name: "a temporary folder of its own",
      files,
      command: "mkdir tmp && TMPDIR=$ROOT/tmp $CXX -g -Iinclude -c src/a.cpp -o a.o && rmdir tmp",
    },
    {
      name: "a project in shared memory",
      files: { "a.c": '#include "h.h"\n', "h.h": "int x;\n" },
      command:
        "d=/dev/shm/homcc-test-project; mkdir $d && cp -p a.c h.h $d && (cd $d && $CC -g -c $d/a.c -o a.o -MD) && mv $d/a.? .; s=$?; rm -r $d; exit $s",
    },
    {
      name: "a header among the kernel's files",
      files: { "a.c": '#include "shared/x.h"\n', shared: { symlink: "/proc/self" } },
      command: "$CC -c a.c -I/proc/1",
      expect: "local:unreadable-input",
    },
    {
      name: "a header in /tmp beside a project elsewhere",
      files: { "a.c": "#include EXTRA\n" },
      command:
        'd=/tmp/homcc-test-extra; mkdir -p $d && echo \'int extra;\' >$d/e.h && $CC -c a.c "-DEXTRA=\\"$d/e.h\\"" -g; s=$?; rm -r $d; exit $s',
    },
  ],
  { parent },
);
