/** What a client may ask of a real homccd: each of these is refused, or shows nothing but the job's own files. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { HostileClient, type HostileJob, toolchainOf } from "../../support/hostile-client.ts";
import { recordHostileRequest } from "../../support/reliability.ts";
import { hasProgram } from "../../support/requirements.ts";
import { type Server, startServer } from "../../support/server.ts";

/** Words after `gcc -c a.c`. */
const refusedWords: Readonly<Record<"both" | CompilerFamily, readonly (readonly string[])[]>> = {
  both: [
    ["-fplugin=./x.so"],
    ["-B", "tools"],
    ["-Btools"],
    ["--prefix=tools"],
    ["@more"],
    ["-I", "@more"],
    ["-Wp,@more"],
    ["-Wa,@more"],
    ["-Xassembler", "@more"],
    ["-Xpreprocessor", "@more"],
    ["-Wa,-al=/proc/self/mem"],
    ["-Wp,-MD,/proc/x"],
    ["-o", "/dev/kmsg"],
    ["-o", "/proc/self/mem"],
    ["-o", "/sys/x"],
    ["-I", "/proc"],
    ["-idirafter", "/proc/self"],
    ["-isystem", "../proc/self"],
    ["-iquote", "/sys"],
    ["-include", "/proc/self/environ"],
    ["-imacros", "/proc/self/cmdline"],
    ["--include=/proc/self/environ"],
    ["--incl=/proc/self/environ"],
    ["--sysroot=/proc/self/root"],
    ["/proc/self/environ"],
    ["-MD", "-MF", "/dev/mem"],
    ["-save-temps"],
    ["--save-temps=cwd"],
    ["-dumpdir", "/w/"],
    ["-print-search-dirs"],
    ["-print-file-name=x"],
    ["-###"],
    ["-v"],
    ["--version"],
    ["--help"],
    ["-E"],
    ["-M"],
    ["-wrapper", "sh,-c"],
    ["-specs=x"],
    ["--specs", "x"],
    ["--unheard-of"],
    ["-ftime-report"],
    ["-"],
    ["-o"],
  ],
  gcc: [
    ["-iplugindir=."],
    ["-fplugin-arg-x-y=z"],
    ["-fmodule-mapper=|sh -c id"],
    ["-fdump-tree-all=/w/x"],
    ["-fdump-ipa-all"],
    ["-da"],
    ["-fprofile-use=/w/x"],
    ["-fauto-profile"],
    ["-fdiagnostics-format=sarif-file"],
    ["-fdiagnostics-add-output=sarif:file=/w/x"],
    ["-fcompare-debug"],
    ["-aux-info", "/proc/x"],
    ["-fopt-info-vec=/proc/x"],
    ["--for-assembler", "@x"],
    ["-remap"],
    ["-foffload=x"],
  ],
  clang: [
    ["-Xclang", "-load", "-Xclang", "./x.so"],
    ["-Xclang=-load", "-Xclang=./x.so"],
    ["-fpass-plugin=./x.so"],
    ["-Xclang", "-plugin", "-Xclang", "x"],
    ["-Xclang", "-add-plugin", "-Xclang", "x"],
    ["-mllvm", "-load=./x.so"],
    ["-mllvm", "--load=./x.so"],
    ["-mllvm=-load=./x.so"],
    ["-mllvm", "-load-pass-plugin=./x.so"],
    ["-Xclang", "-mllvm", "-Xclang", "-load=./x.so"],
    ["--config", "x"],
    ["--config=x"],
    ["--config-user-dir=/w"],
    ["-ccc-gcc-name", "x"],
    ["-ccc-install-dir", "/w"],
    ["-MJ", "/w/x"],
    ["-ftime-trace=/w/x"],
    ["-ivfsoverlay", "x"],
    ["-resource-dir", "x"],
    ["-working-directory", "/proc"],
    ["-fcrash-diagnostics-dir=/w"],
    ["-Xclang", "-diagnostic-log-file", "-Xclang", "/w/x"],
    ["-Xclang", "-dependency-file", "-Xclang", "/w/x"],
    ["-serialize-diagnostics", "/proc/x"],
    ["-gen-reproducer"],
    ["--driver-mode=cl"],
    ["-fembed-offload-object=/proc/self/environ"],
    ["-fsanitize-ignorelist=/proc/self/environ"],
    ["-Xarch_host", "-fplugin=x"],
  ],
};

const refusedVariables: Readonly<Record<string, string>> = {
  COMPILER_PATH: "/w",
  GCC_EXEC_PREFIX: "/w/",
  LD_PRELOAD: "/w/x.so",
  LD_LIBRARY_PATH: "/w",
  LD_AUDIT: "/w/x.so",
  LIBRARY_PATH: "/w",
  TMPDIR: "/w",
  GCONV_PATH: "/w",
  LOCPATH: "/w",
  NLSPATH: "/w/%N",
  DEPENDENCIES_OUTPUT: "/w/x",
  SUNPRO_DEPENDENCIES: "/w/x",
  CC_PRINT_OPTIONS: "1",
  CC_PRINT_HEADERS_FILE: "/w/x",
  CCC_OVERRIDE_OPTIONS: "+-fplugin=x",
  MALLOC_PERTURB_: "1",
  GLIBC_TUNABLES: "x",
  AS_SECURE_LOG_FILE: "/w/x",
  CLANG_CONFIG_FILE_SYSTEM_DIR: "/w",
  HOME: "/w",
  BASH_ENV: "/w/x",
  COLLECT_GCC_OPTIONS: "x",
  MAKEFLAGS: "--jobserver-auth=fifo:/w/x",
};

/** Jobs that are wrong in themselves. */
function refusedJobs(program: string): readonly HostileJob[] {
  const argv = [program, "-c", "a.c"];
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
  return [
    // No compiler, or one that would make something else than an object.
    ...[
      "/bin/sh",
      "/usr/bin/env",
      "/w/gcc",
      "/proc/self/exe",
      "/usr/bin/ld",
      "/lib64/ld-linux-x86-64.so.2",
    ].map((other) => ({ argv, program: other })),
    { argv: [program, "a.c"] },
    { argv: [program, "a.c", "-Wl,-plugin,./x.so"] },
    { argv: [program, "a.c", "-fuse-ld=lld", "-o", "/w/a.o"] },
    { argv: ["gcc"] },
    // Places.
    ...[
      "/proc/self/environ",
      "/proc",
      "/w/../proc/x",
      "/w//a.c",
      "w/a.c",
      "",
      "/w/a\0.c",
      "/w/./a.c",
      "/w/..",
    ].map((file) => ({ argv, files: { [file]: "int a;" } })),
    { argv, files: { [`/w/${"a".repeat(256)}`]: "" } },
    { argv, files: { [`/${"a/".repeat(2040)}x`]: "" } },
    { argv, files: { [`/w/${"a".repeat(5000)}`]: "" } },
    ...["/proc/x", "/w/../x", "a.o", "/sys/x", "/dev/sda", "", "/w/a\0"].map((output) => ({
      argv,
      outputs: [output],
    })),
    ...["w", "/w/..", "/proc", ""].map((cwd) => ({ argv, cwd })),
    { argv, files: { "/w": "a", "/w/a.c": "b" } },
    { argv, files: { "/w/a.c/b": "a", "/w/a.c": "b" } },
    { argv, links: { "/w/x": "" } },
    { argv, links: { "/w/x": "a\0b" } },
    { argv, links: { "/w/x": "a".repeat(5000) } },
    // Numbers and shapes.
    { argv, more: { inputs: [999_999] } },
    { argv, more: { inputs: [-1] } },
    { argv, more: { declareFrom: 7 } },
    { argv, more: { umask: 0o10000 } },
    { argv, more: { timeoutMs: -1 } },
    { argv, more: { steps: [] } },
    { argv, more: { steps: Array.from({ length: 65 }, () => ({ program: "/usr/bin/gcc", argv })) } },
    { argv, more: { terminal: { stderr: { columns: 1e9, rows: -1 } } } },
    {
      argv,
      more: {
        toolchain: {
          digest: `${"0".repeat(64)}/1`,
          driver: "/proc/1/root/bin/gcc",
          family: "gcc",
          version: "",
        },
      },
    },
    {
      argv,
      more: { toolchain: { digest: `${"0".repeat(64)}/1`, driver: "../gcc", family: "gcc", version: "" } },
    },
    { argv, more: { environment: { "A=B": "c" } } },
    { argv, more: { environment: { PATH: "a\0b" } } },
    { argv, more: { label: deep(40) } },
    { argv, more: { __proto__: null, declare: deep(40) } },
  ];
}

/** What the toolchain runs and reads. Where paths are mapped, these are files in the job's own folder. */
function replacements(program: string): readonly HostileJob[] {
  const argv = [program, "-c", "a.c"];
  return [
    ...[
      "/usr/bin/as",
      "/etc/ld.so.preload",
      "/etc/ld.so.cache",
      "/etc/clang/clang.cfg",
      "/usr/lib/x86_64-linux-gnu/libz.so.1",
      "/usr/lib/gcc/x86_64-linux-gnu/specs",
    ].map((file) => ({ argv, files: { "/w/a.c": "int a;", [file]: "x" } })),
    { argv, links: { "/usr/lib": "/w" } },
    { argv, links: { "/usr/bin/as": "/w/x" } },
  ];
}

/** Sources that ask for files of the server; `SECRET` is one. */
const greedySources: readonly string[] = [
  '#include "SECRET"\n',
  '__asm__(".incbin \\"SECRET\\"");\n',
  '__asm__(".include \\"SECRET\\"");\n',
  '#if __has_include("SECRET")\n#error there\n#endif\nint a;\n',
  '#pragma GCC dependency "SECRET"\nint a;\n',
];

const executors = ["namespace", "mapped"] as const;
const compilers = [
  ["gcc", "gcc"],
  ["clang", "clang"],
] as const;

for (const executor of executors) {
  for (const [name, family] of compilers) {
    void suite(`${executor}, ${name}`, { skip: !hasProgram(name) }, () => {
      let server: Server;
      let folder: string;
      let secret: string;

      before(async () => {
        server = await startServer({ executor, options: ["--log-level", "DEBUG"] });
        folder = await mkdtemp(join(tmpdir(), "homcc-secret-"));
        secret = join(folder, "key.h");
        await writeFile(secret, "the private key");
      });

      after(async () => {
        await server.stop();
        await rm(folder, { recursive: true });
      });

      async function refuse(kind: string, jobs: readonly HostileJob[]): Promise<void> {
        const toolchain = await toolchainOf(name, family);
        let client = await HostileClient.connect(server.port, toolchain);
        let refused = 0;
        for (const job of jobs) {
          const outcome = await client
            .run(job)
            .catch((error: unknown) => ({ kind: "disconnected", said: String(error) }));
          const shown = JSON.stringify(job).slice(0, 300);
          assert.notEqual(outcome.kind, "result", `${shown}: ${outcome.said}`);
          refused += 1;
          if (outcome.kind === "refused") continue;
          // What no honest client sends may cost the line.
          await client[Symbol.asyncDispose]();
          client = await HostileClient.connect(server.port, toolchain);
        }
        const good = await client.run({ argv: [name, "-c", "a.c"] });
        assert.equal(good.status, 0, good.said);
        await client[Symbol.asyncDispose]();
        recordHostileRequest(`${kind} (${executor}, ${name})`, { tried: jobs.length, refused });
      }

      test("options that load, start, or name what is not the job's", async () => {
        const words = [...refusedWords.both, ...refusedWords[family]];
        await refuse(
          "an option that loads, starts or reads something",
          words.map((more) => ({
            argv: [name, "-c", "a.c", ...more],
            files: { "/w/a.c": "int a;\n", "/w/more": "-v", "/w/x": "" },
          })),
        );
      });

      test("variables that change what a compiler does", async () => {
        await refuse(
          "a variable that changes what the compiler runs or writes",
          Object.entries(refusedVariables).map(([variable, value]) => ({
            argv: [name, "-c", "a.c"],
            environment: { [variable]: value },
          })),
        );
      });

      test("programs, paths and messages that no client of ours sends", async () => {
        await refuse("a job that is wrong in itself", refusedJobs(name));
        if (executor === "namespace")
          await refuse("an input in place of a part of the toolchain", replacements(name));
      });

      test("a source gets no file of the server", async () => {
        await using client = await HostileClient.connect(server.port, await toolchainOf(name, family));
        const places = [
          secret,
          "/etc/passwd",
          "/etc/shadow",
          "/proc/self/environ",
          join(server.storeFolder, "CACHEDIR.TAG"),
        ];
        let tried = 0;
        for (const place of places) {
          for (const source of greedySources) {
            for (const links of [{}, { "/w/link": place }]) {
              const named = Object.keys(links)[0] ?? place;
              const text = source.replaceAll("SECRET", named);
              const { bytes, said } = await client.run({
                argv: [name, "-c", "a.c"],
                files: { "/w/a.c": text },
                links,
              });
              for (const word of ["the private key", "root:x:0", "PATH=", "Signature:"])
                assert.ok(
                  !bytes.includes(word),
                  `${text} ${JSON.stringify(links)}: ${said} ${bytes.toString("latin1")}`,
                );
              tried += 1;
            }
          }
        }
        recordHostileRequest(`a source that includes a file of the server (${executor}, ${name})`, {
          tried,
          refused: tried,
        });
      });
    });
  }
}
