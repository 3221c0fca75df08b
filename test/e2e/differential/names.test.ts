/** Names, folders, links and modes: what the file system can hold, the result must not depend on. */
import { type Case, differentialSuite } from "../../support/differential.ts";

const source = '#include "h.h"\nint value = VALUE;\nconst char *name = __FILE__;\n';
const header = "#define VALUE 1\n";
const plain = { "a.c": source, "h.h": header };

const odd = [
  "a b",
  "comma,d",
  "quo'te",
  'dou"ble',
  "back\\slash",
  "star*",
  "dollar$HOME",
  "semi;colon",
  "häßlich-日本",
  "equal=sign",
  "hash#",
  "per%cent",
  "~tilde",
  "(paren)",
  "col:on",
  "tab\tbed",
  "new\nline",
  "@at",
  "{brace}",
];

const oddNames: Case[] = odd.map((name) => ({
  name: `source, header, folder and object named ${JSON.stringify(name)}`,
  files: {
    [`dir ${name}/${name}.c`]: `#include <${name}.h>\nint value = VALUE;\nconst char *name = __FILE__;\n`,
    [`inc ${name}/${name}.h`]: header,
    [`out ${name}/.keep`]: "",
  },
  command: `$CC -g "-Iinc $NAME" -c "dir $NAME/$NAME.c" -o "out $NAME/$NAME.o" -MD`,
  environment: { NAME: name },
  // A name with a quote or a line end cannot be written in an include directive of every compiler alike.
  ...(/["\n]/.test(name)
    ? {
        files: {
          [`dir ${name}/${name}.c`]: "int value;\n",
          [`inc ${name}/x`]: "",
          [`out ${name}/.keep`]: "",
        },
      }
    : {}),
}));

const bytes: readonly Case[] = [
  {
    name: "a source whose name is not UTF-8",
    files: { "h.h": header },
    prepare: "printf 'int x;\\n' > \"$(printf 'l\\344ser.c')\"",
    command: "$CC -c \"$(printf 'l\\344ser.c')\" -o a.o",
    expect: "local:not-utf8",
  },
  {
    name: "a working folder whose name is not UTF-8",
    files: {},
    prepare: "d=$(printf 'd\\344'); mkdir \"$d\"; printf 'int x;\\n' > \"$d/a.c\"",
    command: "cd \"$(printf 'd\\344')\" && $CC -g -c a.c",
    expect: "local:not-utf8",
  },
  {
    name: "a macro whose value is not UTF-8",
    files: plain,
    command: "$CC -c a.c \"$(printf -- '-DX=\\344')\"",
    expect: "local:not-utf8",
  },
  {
    name: "an include folder whose name is not UTF-8",
    files: plain,
    prepare: "mkdir \"$(printf 'i\\344')\"",
    command: "$CC -c a.c \"$(printf -- '-Ii\\344')\"",
    expect: "local:not-utf8",
  },
  {
    name: "a header found in a folder whose name is UTF-8, with other bytes inside",
    files: {
      "a.c": '#include "ü.h"\n',
      "ü.h": { content: Buffer.from([0x2f, 0x2f, 0xe4, 0x0a, 0x69, 0x6e, 0x74, 0x20, 0x78, 0x3b, 0x0a]) },
    },
    command: "$CC -c a.c",
  },
  {
    name: "a source with NUL and other bytes",
    files: { "a.c": { content: Buffer.from('const char s[] = "\u0001\u00ff";\nint x;\n', "latin1") } },
    command: "$CC -c a.c -w",
  },
  {
    name: "a name of 200 characters",
    files: { [`${"n".repeat(200)}.c`]: "int x;\n" },
    command: `$CC -g -c ${"n".repeat(200)}.c -o ${"o".repeat(250)}`,
  },
];

const folders: readonly Case[] = [
  {
    name: "a working folder behind a link, PWD as the shell has it",
    files: { "real/a.c": source, "real/h.h": header, link: { symlink: "real" } },
    command: "cd link && $CC -g -c a.c",
  },
  {
    name: "a working folder behind a link, PWD unset",
    files: { "real/a.c": source, "real/h.h": header, link: { symlink: "real" } },
    command: "cd link && unset PWD && env -u PWD $CC -g -c a.c",
  },
  { name: "PWD names another folder", files: plain, command: "PWD=/ env $CC -g -c a.c" },
  { name: "the working folder is /", files: plain, command: "cd / && $CC -g -c $ROOT/a.c -o $ROOT/a.o" },
  {
    name: "the working folder is an empty one elsewhere",
    files: { ...plain, empty: { directory: true } },
    command: "cd empty && $CC -g -c ../a.c -o ../a.o",
  },
  {
    name: "output outside the working folder",
    files: { "src/a.c": source, "src/h.h": header, out: { directory: true } },
    cwd: "src",
    command: "$CC -g -c a.c -o ../out/a.o -MMD",
  },
  { name: "absolute output", files: plain, command: "$CC -g -c a.c -o $ROOT/b.o -MMD" },
  {
    name: "output through ..",
    files: { ...plain, "sub/x": "" },
    command: "$CC -g -c a.c -o sub/../b.o -MMD",
  },
  {
    name: "output into a linked folder",
    files: { ...plain, "real/x": "", link: { symlink: "real" } },
    command: "$CC -g -c a.c -o link/a.o -MMD",
  },
  {
    name: "source in the parent folder, no -o",
    files: { ...plain, sub: { directory: true } },
    cwd: "sub",
    command: "$CC -g -c ../a.c",
  },
  { name: "source and object with ./", files: plain, command: "$CC -g -c ./a.c -o ./a.o" },
  {
    name: "doubled slashes and dots",
    files: { "s//a.c": source, "s/h.h": header },
    command: "$CC -g -c .//s/../s/./a.c -o .//a.o",
  },
  {
    name: "a name that starts with a dash",
    files: { "-a.c": source, "h.h": header },
    command: "$CC -g -c ./-a.c -o ./-a.o",
  },
  { name: "several dots, no -o", files: { "a.b.c.c": source, "h.h": header }, command: "$CC -c a.b.c.c -MD" },
  {
    name: "a deleted working folder's parent",
    files: { "one/two/a.c": source, "one/two/h.h": header },
    cwd: "one/two",
    command: "$CC -g -c $ROOT/one/two/a.c",
  },
];

const outputs: readonly Case[] = [
  {
    name: "an object that is there already",
    files: { ...plain, "a.o": "old" },
    command: "$CC -c a.c -o a.o",
  },
  {
    name: "an object with mode 600",
    files: { ...plain, "a.o": { content: "old", mode: 0o600 } },
    command: "$CC -c a.c -o a.o",
  },
  {
    name: "a write-protected object",
    files: { ...plain, "a.o": { content: "old", mode: 0o444 } },
    command: "$CC -c a.c -o a.o",
    // clang fails unless it is root: test/e2e/faults/files.test.ts.
    only: "gcc",
  },
  {
    name: "an executable object",
    files: { ...plain, "a.o": { content: "old", mode: 0o755 } },
    command: "$CC -c a.c -o a.o",
  },
  {
    name: "an object with a second name",
    files: { ...plain, "a.o": "old" },
    prepare: "ln a.o other.o",
    command: "$CC -c a.c -o a.o",
  },
  {
    name: "a dependency file with mode 600",
    files: { ...plain, "a.d": { content: "old", mode: 0o600 } },
    command: "$CC -c a.c -o a.o -MD",
  },
  {
    name: "assembler text with mode 600",
    files: { ...plain, "a.s": { content: "old", mode: 0o600 } },
    command: "$CC -S a.c -o a.s",
  },
  {
    name: "an object that is a link",
    files: { ...plain, "real.o": "old", "a.o": { symlink: "real.o" } },
    command: "$CC -c a.c -o a.o",
    expect: "local:special-output",
  },
  {
    name: "an object that is a dangling link",
    files: { ...plain, "a.o": { symlink: "nowhere.o" } },
    command: "$CC -c a.c -o a.o",
    expect: "local:special-output",
  },
  {
    name: "an object that is a folder",
    files: { ...plain, "a.o/x": "" },
    command: "$CC -c a.c -o a.o",
    expect: "local:special-output",
    mask: /\/tmp\/[\w-]+\.o/g,
  },
  {
    name: "assembler text into a pipe",
    files: plain,
    prepare: "mkfifo a.s",
    command: "(cat a.s >copy &) ; $CC -S a.c -o a.s; s=$?; rm a.s; exit $s",
    expect: "local:special-output",
  },
  {
    name: "the object's folder is missing",
    files: plain,
    command: "$CC -c a.c -o nowhere/a.o",
    expect: "local",
    mask: /nowhere\/a-\w+\.o\.tmp/g,
  },
];

const umasks: readonly Case[] = ["077", "027", "000", "002"].map((mask) => ({
  name: `umask ${mask}`,
  files: plain,
  command: `umask ${mask} && $CC -g -gsplit-dwarf -c a.c -o a.o -MD && $CC -S a.c`,
  calls: 2,
}));

differentialSuite([...oddNames, ...bytes, ...folders, ...outputs, ...umasks]);
