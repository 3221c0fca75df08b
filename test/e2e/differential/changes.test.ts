/** What changes between two compiles: nothing that was remembered may outlive the file it was learnt from. */
import { type Case, differentialSuite, type Step } from "../../support/differential.ts";
import type { Files } from "../../support/files.ts";

const main = '#include "h.h"\n#include <s.h>\nint value = VALUE + SYSTEM;\n';
const define = (value: string): string => `#define VALUE ${value}\n`;
const project: Files = {
  "a.c": main,
  "h.h": define("1"),
  "two/s.h": "#define SYSTEM 1\n",
  one: { directory: true },
  three: { directory: true },
};
const command = "$CC -g -I. -Ione -Itwo -Ithree -c a.c -o a.o -MMD";
const after = (files: Files, more: Partial<Step> = {}): Step => ({ files, command, ...more });

const sequences: readonly (readonly [name: string, ...steps: Step[]])[] = [
  ["nothing changes", after({}), after({})],
  ["a header grows", after({ "h.h": define("1 + 1") })],
  ["a header changes and keeps its size", after({ "h.h": define("2") })],
  [
    "a header changes and keeps size and time",
    after({ "h.h": { content: define("3"), modified: "2024-03-04T05:06:07Z" } }),
  ],
  [
    "a header gets an older time",
    after({ "h.h": { content: define("4"), modified: "2020-01-01T00:00:00Z" } }),
  ],
  [
    "a header changes twice in a row",
    after({ "h.h": define("5") }),
    after({ "h.h": define("6") }),
    after({ "h.h": define("5") }),
  ],
  ["a header is only touched", after({ "h.h": define("1") })],
  ["the source changes", after({ "a.c": `${main}int more;\n` })],
  ["the source includes something new", after({ "a.c": `${main}#include "n.h"\n`, "n.h": "int n;\n" })],
  ["a header includes something new", after({ "h.h": `${define("1")}#include "n.h"\n`, "n.h": "int n;\n" })],
  ["a header is created that now comes first", after({ "one/s.h": "#define SYSTEM 2\n" })],
  ["and is removed again", after({ "one/s.h": "#define SYSTEM 2\n" }), after({ "one/s.h": null })],
  ["a header is created that comes later and does not matter", after({ "three/s.h": "#define SYSTEM 3\n" })],
  [
    "a header is removed and another one is found",
    after({ "three/s.h": "#define SYSTEM 3\n" }),
    after({ "two/s.h": null }),
  ],
  ["a header is removed", after({ "h.h": null }, { expect: "remote-error" }), after({ "h.h": define("7") })],
  ["a header becomes a link", after({ "h.h": { symlink: "other.h" }, "other.h": define("8") })],
  [
    "the target of a link changes",
    after({ "h.h": { symlink: "one.h" }, "one.h": define("1"), "two.h": define("9") }),
    after({ "h.h": { symlink: "two.h" } }),
  ],
  [
    "a header becomes a folder",
    after(
      { "h.h": { directory: true }, "one/h.h": define("10") },
      {
        command: command.replace("a.c", "sub/a.c"),
        files: { "sub/a.c": main, "h.h": { directory: true }, "one/h.h": define("10") },
      },
    ),
  ],
  [
    "an include folder disappears and comes back",
    after({ two: null }, { expect: "remote-error" }),
    after({ "two/s.h": "#define SYSTEM 5\n" }),
  ],
  [
    "an include folder is created",
    after({}, { command: `${command} -Inew` }),
    after({ "new/x.h": "" }, { command: `${command} -Inew -Wmissing-include-dirs` }),
  ],
  [
    "an include folder becomes a link",
    after({ two: { symlink: "other" }, "other/s.h": "#define SYSTEM 11\n" }),
  ],
  [
    "an error comes and goes",
    after({ "a.c": "int f( {\n" }, { expect: "remote-error" }),
    after({ "a.c": main }),
  ],
  [
    "a macro changes what is included",
    after({ "a.c": `#ifdef MORE\n#include "m.h"\n#endif\n${main}`, "m.h": "int m;\n" }),
    after({}, { command: `${command} -DMORE` }),
    after({}),
  ],
  [
    "an edited macro turns an include with an include of its own on and off",
    after({
      "a.c": `#include "h.h"\n#if VALUE > 1\n#include "m.h"\n#endif\n${main}`,
      "m.h": '#include "deep.h"\nint m = DEEP;\n',
      "deep.h": "#define DEEP 1\n",
    }),
    after({ "h.h": define("2") }),
    after({ "deep.h": "#define DEEP 2\n" }),
    after({ "h.h": define("1") }),
  ],
  [
    "an edit breaks a header, and the next one mends it",
    after({ "h.h": "#define VALUE (\n" }, { expect: "remote-error" }),
    after({ "h.h": define("13") }),
  ],
  [
    "the same source with other options",
    after({}, { command: `${command} -O2` }),
    after({}, { command: command.replace("-g ", "") }),
  ],
  [
    "another source of the same name",
    after(
      { "a.c": null, "sub/a.c": main, "sub/h.h": define("12") },
      { command: command.replace("a.c", "sub/a.c") },
    ),
  ],
  ["C and C++ in turn", after({ "a.cpp": main }, { command: "$CXX -I. -Itwo -c a.cpp -o a.o" }), after({})],
  ["the umask changes", after({}, { command: `umask 077; ${command}` }), after({})],
];

const probes: readonly Case[] = [
  {
    name: "a probed header appears and disappears",
    files: { "a.c": '#if __has_include("p.h")\nint there;\n#else\nint gone;\n#endif\n' },
    command: "$CC -c a.c",
    followedBy: [
      { files: { "p.h": "" }, command: "$CC -c a.c" },
      { files: { "p.h": null }, command: "$CC -c a.c" },
      { files: { "p.h": { directory: true } }, command: "$CC -c a.c" },
    ],
  },
  {
    name: "a probed header appears in an include folder that did not exist",
    files: { "a.c": "#if __has_include(<deep/p.h>)\nint there;\n#else\nint gone;\n#endif\n" },
    command: "$CC -Inew -c a.c",
    followedBy: [{ files: { "new/deep/p.h": "" }, command: "$CC -Inew -c a.c" }],
  },
  {
    name: "a response file changes",
    files: { "a.c": "int value = V;\n", flags: "-DV=1" },
    command: "$CC @flags -c a.c",
    followedBy: [{ files: { flags: "-DV=2" }, command: "$CC @flags -c a.c" }],
  },
  {
    name: "a header is written by the command just before",
    files: { "a.c": '#include "made.h"\nint value = MADE;\n' },
    command: 'for i in 1 2 3 4 5 6 7 8; do echo "#define MADE $i" >made.h; $CC -c a.c -o a$i.o || exit; done',
    calls: 8,
  },
  {
    name: "an object that a failing compile removed is made again",
    files: { "a.c": "int x;\n" },
    command: "$CC -c a.c",
    followedBy: [
      { files: { "a.c": "int (\n" }, command: "$CC -c a.c", expect: "remote-error" },
      { files: { "a.c": "int x;\n" }, command: "$CC -c a.c" },
    ],
  },
];

const cases: Case[] = sequences.map(([name, ...followedBy]) => ({
  name,
  files: project,
  command,
  followedBy,
}));
differentialSuite([...cases, ...probes]);
