import type { CompilerFamily } from "./compilation.ts";
import type { MappedVerdict, Operand, OptionClass, OptionRow, Reader, Spelling } from "./option-row.ts";

/**
 * Every option homcc knows, grouped by what it means. An option is found by its longest matching name, so that
 * `-march=native` wins over `-march` and both over `-m`. docs/compiler-options.md is generated from it.
 */

interface Spelled {
  readonly name: string;
  readonly spelling: Spelling;
  readonly operand: Operand;
}

const flags = (...names: string[]): Spelled[] =>
  names.map((name) => ({ name, spelling: "flag", operand: "none" }));
const spelled =
  (spelling: Spelling) =>
  (operand: Operand, ...names: string[]): Spelled[] =>
    names.map((name) => ({ name, spelling, operand }));
const joined = spelled("joined");
const separate = spelled("separate");
const both = spelled("both");
const equals = spelled("equals");
const optional = spelled("optional");
const either = spelled("either");
const comma = spelled("comma");
const joinedAndSeparate = spelled("joined-and-separate");

interface GroupTraits {
  readonly only?: CompilerFamily;
  readonly readers?: readonly Reader[];
  readonly mapped?: MappedVerdict;
  readonly dangerous?: boolean;
  readonly recordsCommand?: boolean;
}

/** One reason, one meaning, many names. */
function group(
  meaning: OptionClass,
  reason: string,
  options: readonly Spelled[],
  traits: GroupTraits = {},
): OptionRow[] {
  return options.map((option) => ({
    ...option,
    meaning,
    reason,
    families: traits.only === undefined ? ["gcc", "clang"] : [traits.only],
    readers: traits.readers ?? ["driver"],
    mapped: traits.mapped ?? "send",
    dangerous: traits.dangerous ?? false,
    recordsCommand: traits.recordsCommand ?? false,
  }));
}

const send: OptionClass = { class: "send" };
const report: OptionClass = { class: "report" };
const local: OptionClass = { class: "local" };
const query: OptionClass = { class: "query" };
const linker: OptionClass = { class: "linker" };
const extraInput: OptionClass = { class: "extra-input" };
const extraOutput: OptionClass = { class: "extra-output" };

const gcc: GroupTraits = { only: "gcc" };
const clang: GroupTraits = { only: "clang" };
const mappedLocal: GroupTraits = { mapped: "local" };
/** Words that the driver and the preprocessors behind it read alike. */
const preprocessing: GroupTraits = { readers: ["driver", "preprocessor", "cc1"] };
const assembler: GroupTraits = { readers: ["assembler"] };
const cc1: GroupTraits = { only: "clang", readers: ["cc1"] };
const llvm: GroupTraits = { only: "clang", readers: ["llvm"] };

const actions: OptionRow[] = [
  ...group(
    { class: "action", action: "object" },
    "an object is what a server makes",
    flags("-c", "--compile"),
  ),
  ...group(
    { class: "action", action: "assembly" },
    "assembler text comes back like an object; it beats -c",
    flags("-S", "--assemble"),
  ),
  ...group(
    { class: "action", action: "syntax" },
    "messages and dependency file come back; no object is written",
    flags("-fsyntax-only"),
  ),
  ...group(
    { class: "action", action: "llvm" },
    "the output is LLVM bitcode or its text",
    flags("-emit-llvm"),
    clang,
  ),
  ...group(query, "preprocessing costs less here than sending its result", [
    ...flags("-E", "-M", "-MM", "--preprocess", "--dependencies", "--user-dependencies"),
    ...joined("text", "-MM"),
  ]),
  ...group(query, "it asks the driver about itself", [
    ...flags(
      "-###",
      "--help-hidden",
      "-help",
      "--target-help",
      "--version",
      "-fdriver-only",
      "-ccc-print-phases",
    ),
    ...flags(
      "-ccc-print-bindings",
      "-dumpfullversion",
      "-dumpmachine",
      "-dumpspecs",
      "-dumpversion",
      "-verify-pch",
    ),
    ...optional("text", "--help"),
    ...joined("text", "-print-", "--print-", "--completion=", "--autocomplete="),
  ]),
  ...group(local, "it prints the programs that are run, which differ remotely", flags("-v", "--verbose")),
  ...group({ class: "output" }, "names the main output", [
    ...both("output", "-o"),
    ...either("output", "--output"),
  ]),
  ...group(
    { class: "language" },
    "sets the language of the sources after it; only C, C++, Objective-C, Objective-C++ and their preprocessed forms are sent",
    [...both("text", "-x"), ...either("text", "--language")],
  ),
  ...group({ class: "end-of-options" }, "all words after it are inputs", flags("--"), clang),
  ...group(local, "gcc calls it an error", flags("--"), gcc),
  ...group(local, "it makes one unit of several sources", flags("-combine")),
  ...group(local, "the static analyser writes reports of its own", [
    ...flags("--analyze"),
    ...joined("text", "-analyze", "-analyzer-"),
    ...both("output", "--analyzer-output"),
    ...separate("option", "-Xanalyzer"),
  ]),
  ...group(
    local,
    "it makes a module, a precompiled header or another product than an object",
    [
      ...flags(
        "-emit-ast",
        "-emit-pch",
        "-emit-module",
        "-emit-module-interface",
        "-emit-header-module",
        "--precompile",
      ),
      ...flags(
        "-emit-interface-stubs",
        "-emit-merged-ifs",
        "-extract-api",
        "--emit-static-lib",
        "-rewrite-objc",
      ),
      ...flags("-rewrite-legacy-objc", "-relocatable-pch", "--relocatable-pch", "--migrate"),
      ...joined("text", "-objcmt-", "-arcmt-"),
      ...separate("output", "-arcmt-migrate-report-output"),
    ],
    { only: "clang", readers: ["driver", "cc1"] },
  ),
  ...group(local, "preprocessing in two passes has no object to return", flags("-fdirectives-only"), gcc),
  ...group(
    local,
    "it turns the driver into another one",
    equals("text", "--driver-mode", "--rsp-quoting"),
    clang,
  ),
  ...group(
    local,
    "it makes every source Objective-C, whatever its name says",
    flags("-ObjC", "-ObjC++"),
    clang,
  ),
];

const dependencyOutput: OptionRow[] = [
  ...group(
    { class: "dependency" },
    "the dependency file is written remotely and comes back",
    flags("-MD", "-MMD", "--write-dependencies", "--write-user-dependencies"),
  ),
  ...group(
    { class: "dependency" },
    "the dependency file named after it comes back",
    separate("output", "-MD", "-MMD"),
    {
      readers: ["preprocessor"],
    },
  ),
  ...group({ class: "dependency-file" }, "names the dependency file", both("output", "-MF")),
  ...group(
    { class: "dependency-detail" },
    "changes what is in the dependency file, not what is read",
    [...both("text", "-MT", "-MQ"), ...flags("-MP")],
    { readers: ["driver", "preprocessor"] },
  ),
  ...group({ class: "dependency-detail" }, "writes the dependency file for NMake", flags("-MV"), clang),
  ...group(
    local,
    "a missing header is no error then, so its absence cannot be told from a gap in our list",
    flags("-MG", "--print-missing-file-dependencies"),
  ),
  ...group(
    local,
    "it writes a fragment of a compilation database",
    [...both("output", "-MJ"), ...separate("output", "-gen-cdb-fragment-path")],
    clang,
  ),
  ...group(
    local,
    "it writes dependencies in a form of the compiler's inside",
    separate("output", "-dependency-file", "-dependency-dot", "-module-dependency-dir"),
    { only: "clang", readers: ["driver", "cc1"] },
  ),
  ...group(
    local,
    "it writes dependencies of modules",
    equals("output", "-fdeps-file", "-fdeps-target", "-fdeps-format"),
    gcc,
  ),
  ...group(local, "unknown dependency option", joined("text", "-M")),
];

const search: OptionRow[] = [
  ...group(
    { class: "macro" },
    "macros decide what is included",
    [...both("text", "-D", "-U")],
    preprocessing,
  ),
  ...group({ class: "macro" }, "macros decide what is included", [
    ...both("text", "-A"),
    ...either("text", "--define-macro", "--undefine-macro", "--assert"),
  ]),
  ...group(
    { class: "include-folder", kind: "angle" },
    "the folder's headers are inputs, and so is its existence",
    [...both("folder", "-I")],
    preprocessing,
  ),
  ...group(
    { class: "include-folder", kind: "angle" },
    "the folder's headers are inputs, and so is its existence",
    either("folder", "--include-directory"),
  ),
  ...group(
    { class: "include-folder", kind: "quote" },
    "as -I, for quoted names",
    both("folder", "-iquote"),
    preprocessing,
  ),
  ...group(
    { class: "include-folder", kind: "system" },
    "as -I; system headers are left out of -MMD and of warnings",
    both("folder", "-isystem"),
    preprocessing,
  ),
  ...group(
    { class: "include-folder", kind: "system" },
    "system folders of one language",
    both("folder", "-cxx-isystem", "-stdlib++-isystem"),
    clang,
  ),
  ...group(
    { class: "include-folder", kind: "system" },
    "system folders as the driver passes them",
    separate("folder", "-c-isystem", "-cxx-isystem", "-internal-isystem", "-internal-externc-isystem"),
    cc1,
  ),
  ...group(
    { class: "include-folder", kind: "after" },
    "searched last",
    both("folder", "-idirafter"),
    preprocessing,
  ),
  ...group(
    { class: "include-folder", kind: "after" },
    "searched last",
    either("folder", "--include-directory-after"),
  ),
  ...group(
    { class: "include-folder", kind: "after" },
    "searched last",
    both("folder", "-isystem-after"),
    clang,
  ),
  ...group({ class: "include-folder", kind: "after" }, "a folder of frameworks: its headers are inputs", [
    ...both("folder", "-F", "-iframework"),
  ]),
  ...group(send, "#embed looks for files there; they are inputs", equals("folder", "--embed-dir")),
  ...group({ class: "include-prefix" }, "is put before the folders of -iwithprefix", [
    ...both("folder", "-iprefix"),
    ...either("folder", "--include-prefix"),
  ]),
  ...group({ class: "prefixed-include-folder", kind: "after" }, "a folder below -iprefix", [
    ...both("folder", "-iwithprefix"),
    ...either("folder", "--include-with-prefix", "--include-with-prefix-after"),
  ]),
  ...group({ class: "prefixed-include-folder", kind: "angle" }, "a folder below -iprefix", [
    ...both("folder", "-iwithprefixbefore"),
    ...either("folder", "--include-with-prefix-before"),
  ]),
  ...group(
    { class: "forced-include", macrosOnly: false },
    "the file is the first input of every unit",
    both("file", "-include"),
    { readers: ["driver", "preprocessor", "cc1"] },
  ),
  ...group(
    { class: "forced-include", macrosOnly: false },
    "the file is the first input of every unit",
    either("file", "--include"),
  ),
  ...group(
    { class: "forced-include", macrosOnly: true },
    "its macros hold in every unit",
    both("file", "-imacros"),
    preprocessing,
  ),
  ...group(
    { class: "forced-include", macrosOnly: true },
    "its macros hold in every unit",
    either("file", "--imacros"),
  ),
  ...group(
    { class: "system-root" },
    "all system headers below it are inputs; clang looks for its gcc there too",
    [...both("folder", "-isysroot"), ...either("folder", "--sysroot")],
  ),
  ...group(
    { class: "replay" },
    "clang chooses the gcc whose headers it takes by it, at home",
    [
      ...separate("folder", "--gcc-toolchain", "-gcc-toolchain"),
      ...equals("folder", "--gcc-toolchain", "--gcc-install-dir"),
      ...equals("text", "--gcc-triple", "--target"),
      ...separate("text", "-target", "--target"),
      ...flags("-m32", "-m64", "-mx32", "-m16"),
    ],
    clang,
  ),
  ...group(send, "chooses the language's dialect and the built-in folders", [
    ...flags("-ansi", "--ansi", "-nostdinc", "-nostdinc++", "-nostdlibinc", "-nobuiltininc", "-ibuiltininc"),
    ...flags("--no-standard-includes", "-undef", "-trigraphs", "--trigraphs", "-traditional"),
    ...flags("-traditional-cpp", "--traditional", "--traditional-cpp", "-nogpuinc"),
    ...equals("text", "-std", "-stdlib", "--stdlib"),
    ...either("text", "--std"),
  ]),
  ...group(send, "clang takes it and does nothing", flags("-remap"), clang),
  ...group(
    local,
    "a file called header.gcc in any folder of headers gives them other names",
    flags("-remap"),
    gcc,
  ),
  ...group(local, "it splits the search order in a way that only the preprocessor follows", [
    ...flags("-I-", "--include-barrier"),
    ...both("folder", "-iwithsysroot", "-iframeworkwithsysroot"),
  ]),
  ...group(local, "the driver sets it for itself", both("folder", "-imultilib", "-imultiarch")),
  ...group(
    local,
    "it maps names of files to other files",
    [...both("file", "-ivfsoverlay"), ...both("file", "-ivfsstatcache"), ...both("file", "-iremap")],
    { readers: ["driver", "cc1"] },
  ),
  ...group(
    local,
    "it changes the folder in which all names are looked up",
    [...both("folder", "-working-directory"), ...equals("folder", "-working-directory")],
    clang,
  ),
  ...group(
    local,
    "the resources of another compiler are not part of the toolchain",
    [...separate("folder", "-resource-dir"), ...equals("folder", "-resource-dir")],
    { only: "clang", readers: ["driver", "cc1"] },
  ),
  ...group(
    local,
    "programs found through it would be run on the server",
    [...both("folder", "-B"), ...either("folder", "--prefix")],
    { dangerous: true },
  ),
  ...group(
    local,
    "a file of options is read that does not travel",
    [...either("file", "--config"), ...equals("folder", "--config-system-dir", "--config-user-dir")],
    { only: "clang", dangerous: true },
  ),
  ...group(
    local,
    "it replaces parts of the driver",
    [...separate("text", "-ccc-gcc-name", "-ccc-install-dir"), ...joined("text", "-ccc-")],
    { only: "clang", dangerous: true },
  ),
  ...group(local, "the file says which programs the driver runs", either("file", "--specs", "-specs"), {
    dangerous: true,
  }),
  ...group(
    local,
    "it names a program to run",
    [...separate("text", "-wrapper"), ...equals("text", "-wrapper", "-fcppprog")],
    { dangerous: true, readers: ["driver", "cc1"] },
  ),
];

const plugins: OptionRow[] = [
  ...group(
    local,
    "a plug-in is a program of its own",
    [
      ...equals("file", "-fplugin", "-fpass-plugin"),
      ...joined("text", "-fplugin-arg-", "-fplugin"),
      ...equals("folder", "-iplugindir"),
    ],
    { dangerous: true, readers: ["driver", "cc1"] },
  ),
  ...group(
    local,
    "a plug-in is a program of its own",
    [...separate("text", "-load", "-plugin", "-add-plugin"), ...joinedAndSeparate("text", "-plugin-arg-")],
    { only: "clang", readers: ["cc1"], dangerous: true },
  ),
  ...group(
    local,
    "a plug-in is a program of its own",
    [...joined("text", "-load", "--load", "-fpass-plugin", "-load-pass-plugin")],
    { only: "clang", readers: ["llvm"], dangerous: true },
  ),
  ...group(local, "the mapper is a program or a server", equals("text", "-fmodule-mapper"), {
    only: "gcc",
    dangerous: true,
  }),
];

const precompiled: OptionRow[] = [
  ...group(
    local,
    "with a precompiled header the object differs from one made of text",
    [...both("file", "-include-pch", "-include-pth"), ...flags("-building-pch-with-obj")],
    { only: "clang", readers: ["driver", "cc1"] },
  ),
  ...group(
    local,
    "modules are read that no list of headers names",
    [
      ...flags("-fmodules", "-fcxx-modules", "-fimplicit-modules", "-fimplicit-module-maps", "-fmodules-ts"),
      ...joined("text", "-fmodule", "-fprebuilt-", "-fbuild-session-file"),
    ],
    { readers: ["driver", "cc1"] },
  ),
  ...group(send, "matters only where a precompiled header is used, and such commands stay at home", [
    ...flags("-fpch-preprocess", "-fpch-deps", "-Winvalid-pch", "-fpch-instantiate-templates"),
  ]),
  ...group(
    send,
    "matters only where a precompiled header is made",
    flags("-fno-pch-timestamp", "-fno-validate-pch"),
    {
      only: "clang",
      readers: ["driver", "cc1"],
    },
  ),
];

const extraInputs: OptionRow[] = [
  ...group(
    extraInput,
    "the file is one more input",
    [
      ...equals("file", "-fprofile-list", "-fprofile-remapping-file", "-frandomize-layout-seed-file"),
      ...equals(
        "file",
        "--warning-suppression-mappings",
        "-fembed-offload-object",
        "-fopenmp-host-ir-file-path",
      ),
      ...equals("file", "-frewrite-map-file", "-fbasic-block-sections=list"),
    ],
    clang,
  ),
  ...group(
    extraInput,
    "the list of what is not instrumented is one more input",
    [
      ...equals("file", "-fsanitize-ignorelist", "-fsanitize-blacklist"),
      ...equals("file", "-fsanitize-system-ignorelist", "-fsanitize-system-blacklist"),
      ...equals("file", "-fsanitize-coverage-allowlist", "-fsanitize-coverage-ignorelist"),
      ...equals("file", "-fsanitize-coverage-whitelist", "-fsanitize-coverage-blacklist"),
    ],
    { only: "clang", mapped: "local" },
  ),
  ...group(
    extraInput,
    "the list of what is instrumented is one more input",
    both("file", "-fxray-always-instrument=", "-fxray-never-instrument=", "-fxray-attr-list="),
    clang,
  ),
  ...group(
    { class: "extra-input", folderDefault: "default.profdata" },
    "the profile is one more input",
    equals("file", "-fprofile-use", "-fprofile-instr-use", "-fcs-profile-use"),
    { only: "clang", mapped: "local" },
  ),
  ...group(
    extraInput,
    "the profile is one more input",
    equals("file", "-fprofile-sample-use", "-fauto-profile", "-fmemory-profile-use"),
    { only: "clang", mapped: "local" },
  ),
  ...group(
    local,
    "the profile is found by the name of the object",
    [
      ...optional("text", "-fprofile-use", "-fauto-profile"),
      ...flags(
        "-fbranch-probabilities",
        "-fprofile-values",
        "-fprofile-correction",
        "-fprofile-reorder-functions",
      ),
    ],
    gcc,
  ),
  ...group(
    local,
    "the profile's name is the compiler's choice",
    flags(
      "-fprofile-use",
      "-fprofile-instr-use",
      "-fprofile-sample-use",
      "-fauto-profile",
      "-fcs-profile-use",
    ),
    clang,
  ),
  ...group(local, "the index names bitcode files of other units", equals("file", "-fthinlto-index"), clang),
  ...group(local, "code for another processor is made by programs outside the toolchain", [
    ...joined("text", "--cuda-", "--hip", "--offload", "-offload", "-fopenmp-targets=", "--no-offload-arch="),
    ...joined("text", "-foffload", "--libomptarget-", "--rocm-", "--ptxas-path="),
    ...separate(
      "option",
      "-Xarch_device",
      "-Xarch_host",
      "-Xcuda-fatbinary",
      "-Xcuda-ptxas",
      "-Xopenmp-target",
    ),
    ...joinedAndSeparate("option", "-Xopenmp-target="),
  ]),
  ...group(
    local,
    "its operand holds for one architecture only",
    joinedAndSeparate("option", "-Xarch_"),
    clang,
  ),
];

const extraOutputs: OptionRow[] = [
  ...group(
    { class: "derived-output", derived: "split-dwarf" },
    "the .dwo file comes back; its name is in the object, so an absolute one cannot be mapped",
    [...optional("text", "-gsplit-dwarf")],
    { mapped: "local-with-absolute-output" },
  ),
  ...group(
    { class: "derived-output", derived: "coverage-notes" },
    "the .gcno file comes back; the object and it name the working folder",
    flags("--coverage", "-coverage", "-ftest-coverage"),
    mappedLocal,
  ),
  ...group(
    { class: "derived-output", derived: "stack-usage" },
    "the .su file comes back",
    flags("-fstack-usage"),
  ),
  ...group(
    { class: "derived-output", derived: "callgraph" },
    "the .ci file comes back",
    optional("text", "-fcallgraph-info"),
    gcc,
  ),
  ...group(
    { class: "derived-output", derived: "time-trace" },
    "the .json file comes back",
    flags("-ftime-trace"),
    clang,
  ),
  ...group(
    { class: "derived-output", derived: "optimization-record" },
    "the record comes back",
    optional("text", "-fsave-optimization-record"),
  ),
  ...group(
    { class: "derived-output", derived: "optimization-record" },
    "it switches the record on",
    equals("text", "-foptimization-record-passes"),
    clang,
  ),
  ...group(
    extraOutput,
    "the file named comes back",
    [
      ...equals("output", "-foptimization-record-file"),
      ...separate("output", "--serialize-diagnostics", "-serialize-diagnostics"),
    ],
    clang,
  ),
  ...group(
    extraOutput,
    "the file named comes back",
    [...separate("output", "-aux-info"), ...equals("output", "-aux-info")],
    gcc,
  ),
  ...group(
    { class: "extra-output", after: "=" },
    "the report goes to stderr or to the file named, which comes back",
    joined("text", "-fopt-info"),
    gcc,
  ),
  ...group(
    send,
    "the running program writes its counts where the object says; the object names the working folder",
    [
      ...flags("-fprofile-arcs", "-fprofile-abs-path"),
      ...optional("folder", "-fprofile-generate", "-fprofile-instr-generate", "-fcs-profile-generate"),
      ...optional("folder", "-fmemory-profile"),
      ...equals("folder", "-fprofile-dir", "-fprofile-prefix-path"),
      ...equals(
        "text",
        "-fprofile-update",
        "-fprofile-prefix-map",
        "-fprofile-exclude-files",
        "-fprofile-filter-files",
      ),
      ...flags("-fcoverage-mapping"),
    ],
    mappedLocal,
  ),
  ...group(
    local,
    "it is named after a folder or a file, whichever exists",
    [...equals("output", "-ftime-trace")],
    clang,
  ),
  ...group(local, "it leaves intermediate files behind", [
    ...optional("text", "-save-temps", "--save-temps", "-save-stats", "--save-stats"),
    ...flags("-via-file-asm", "--via-file-asm", "-gen-reproducer", "-frepo"),
    ...joined("text", "-fdump-", "-fcompare-debug", "-fprofile-note"),
    ...equals("folder", "-fcrash-diagnostics-dir"),
    ...equals("output", "-fthin-link-bitcode"),
    ...flags("-gtoggle"),
  ]),
  ...group(local, "it chooses the names of files that are written", [
    ...separate("output", "-dumpbase", "-dumpbase-ext", "-dumpdir"),
    ...either("output", "--dumpbase", "--dumpbase-ext", "--dumpdir"),
    ...equals(
      "output",
      "-object-file-name",
      "-coverage-data-file",
      "-coverage-notes-file",
      "--coverage-data-file",
    ),
    ...separate("folder", "-index-store-path", "-index-unit-output-path", "-dsym-dir"),
    ...joined("text", "-index-"),
  ]),
  ...group(local, "the compiler writes dumps beside the output", [
    ...joined("text", "-d"),
    ...either("text", "--dump"),
  ]),
  ...group(local, "it measures the machine that compiles", [
    ...flags(
      "-Q",
      "-fmem-report",
      "-fmem-report-wpa",
      "-fpre-ipa-mem-report",
      "-fpost-ipa-mem-report",
      "-fstats",
    ),
    ...optional("text", "-ftime-report", "-time"),
    ...flags("-ftime-report-details", "--time"),
    ...joined("text", "-fproc-stat-report", "-fself-test="),
  ]),
  ...group(
    local,
    "messages go to a file of the compiler's choice",
    [
      ...equals("text", "-fdiagnostics-add-output", "-fdiagnostics-set-output"),
      ...flags("-fdiagnostics-format=json-file", "-fdiagnostics-format=sarif-file"),
      ...separate("output", "-diagnostic-log-file"),
    ],
    { readers: ["driver", "cc1"] },
  ),
];

const recorded: OptionRow[] = [
  ...group(
    send,
    "the user's own mapping of names holds because the job has the client's names",
    equals("text", "-fdebug-prefix-map", "-ffile-prefix-map", "-fmacro-prefix-map", "-fcoverage-prefix-map"),
    mappedLocal,
  ),
  ...group(
    send,
    "the command line is in the object, and it is sent token for token",
    [
      ...flags(
        "-frecord-gcc-switches",
        "-grecord-gcc-switches",
        "-frecord-command-line",
        "-grecord-command-line",
      ),
    ],
    { mapped: "local", recordsCommand: true },
  ),
  ...group(
    send,
    "the name put into the debug information",
    [
      ...equals("folder", "-fdebug-compilation-dir", "-ffile-compilation-dir", "-fcoverage-compilation-dir"),
      ...separate("folder", "-fdebug-compilation-dir"),
    ],
    clang,
  ),
  ...group(
    send,
    "its instrumentation names files",
    [...optional("text", "-fsanitize"), ...joined("text", "-fsanitize-")],
    mappedLocal,
  ),
];

const machine: OptionRow[] = [
  ...group(
    { class: "replay" },
    "the driver reads the processor of this machine; its expanded command is run remotely",
    [
      ...flags("-march=native", "-mtune=native", "-mcpu=native"),
      ...joined("text", "-mcpu=native+", "-march=native+"),
    ],
  ),
  ...group(send, "chooses code and macros", [
    ...joined("text", "-f", "-m", "-O", "-g"),
    ...flags(
      "-pg",
      "-pthread",
      "-pthreads",
      "-pipe",
      "--pipe",
      "-posix",
      "-no-integrated-cpp",
      "-pass-exit-codes",
    ),
    ...flags("--pass-exit-codes", "--profile", "-fno-working-directory", "-fworking-directory"),
    ...both("text", "-G"),
    ...either("text", "--param"),
    ...optional("text", "--optimize", "--debug"),
  ]),
  ...group(
    send,
    "chooses code and macros",
    [...flags("-p"), ...equals("text", "--machine"), ...joined("text", "--machine-")],
    gcc,
  ),
  ...group(
    send,
    "chooses code and macros",
    [
      ...flags(
        "-integrated-as",
        "-no-integrated-as",
        "-canonical-prefixes",
        "-Qn",
        "-Qy",
        "-Qunused-arguments",
      ),
      ...flags("--start-no-unused-arguments", "--end-no-unused-arguments", "-nogpulib"),
      ...separate("text", "-mthread-model", "-meabi", "-arch", "-ftrapv-handler"),
      ...both("text", "-fxray-instruction-threshold=", "-fxray-modes=", "-fxray-instrumentation-bundle="),
    ],
    clang,
  ),
  ...group(send, "says how the driver finds its own programs", flags("-no-canonical-prefixes")),
  ...group(local, "another version or machine of gcc is called", [...both("text", "-b", "-V")]),
];

const reports: OptionRow[] = [
  ...group(report, "messages come back as the compiler wrote them", [
    ...joined(
      "text",
      "-W",
      "-fdiagnostics-",
      "-fno-diagnostics-",
      "-pedantic",
      "--pedantic",
      "-fmessage-length=",
    ),
    ...flags(
      "-w",
      "--no-warnings",
      "--all-warnings",
      "--extra-warnings",
      "-fcolor-diagnostics",
      "-fno-color-diagnostics",
    ),
    ...flags(
      "-fansi-escape-codes",
      "-fshow-column",
      "-fno-show-column",
      "-fno-caret-diagnostics",
      "-fcaret-diagnostics",
    ),
    ...flags(
      "-H",
      "--trace-includes",
      "-C",
      "-CC",
      "-P",
      "--comments",
      "--comments-in-macros",
      "--no-line-commands",
    ),
    ...joined("text", "--warn-"),
  ]),
  ...group(
    report,
    "messages come back as the compiler wrote them",
    [...joined("text", "-R"), ...flags("--verify-debug-info")],
    clang,
  ),
];

const wrappers: OptionRow[] = [
  ...group({ class: "wrapped", reader: "preprocessor" }, "each word is read again as the preprocessor does", [
    ...comma("option", "-Wp,"),
    ...separate("option", "-Xpreprocessor"),
  ]),
  ...group({ class: "wrapped", reader: "assembler" }, "each word is read again as the assembler does", [
    ...comma("option", "-Wa,"),
    ...separate("option", "-Xassembler"),
  ]),
  ...group(
    { class: "wrapped", reader: "assembler" },
    "each word is read again as the assembler does",
    either("option", "--for-assembler"),
    gcc,
  ),
  ...group(
    { class: "wrapped", reader: "cc1" },
    "each word is read again as the compiler proper does",
    [...separate("option", "-Xclang"), ...equals("option", "-Xclang")],
    clang,
  ),
  ...group(
    { class: "wrapped", reader: "llvm" },
    "each word is read again as LLVM does",
    [...separate("option", "-mllvm"), ...equals("option", "-mllvm")],
    {
      only: "clang",
      readers: ["driver", "cc1"],
    },
  ),
];

const linking: OptionRow[] = [
  ...group(linker, "only the linker reads it", [
    ...comma("option", "-Wl,"),
    ...separate("option", "-Xlinker"),
    ...either("option", "--for-linker"),
    ...both("text", "-l", "-u", "-z", "-e", "-T"),
    ...both("folder", "-L"),
    ...either("text", "--library-directory", "--force-link", "--entry"),
    ...flags(
      "-r",
      "-s",
      "-t",
      "-rdynamic",
      "-shared",
      "--shared",
      "-pie",
      "-no-pie",
      "-nopie",
      "-static-pie",
      "-Z",
    ),
    ...flags(
      "-nostdlib",
      "-nostdlib++",
      "-nostartfiles",
      "-nodefaultlibs",
      "-nolibc",
      "--no-standard-libraries",
    ),
    ...flags("-static-libgcc", "-shared-libgcc", "-static-libstdc++", "-static-libasan", "-static-libtsan"),
    ...flags(
      "-static-libubsan",
      "-static-liblsan",
      "-static-libgfortran",
      "-static-openmp",
      "-static-libsan",
    ),
    ...flags("-shared-libsan", "-static-libquadmath"),
    ...equals(
      "text",
      "-fuse-ld",
      "-rtlib",
      "--rtlib",
      "-unwindlib",
      "--unwindlib",
      "--ld-path",
      "-flto-jobs",
    ),
    ...separate("text", "-framework"),
  ]),
  ...group(
    linker,
    "only the linker reads it",
    [...both("text", "-h"), ...flags("-n", "-N", "-symbolic")],
    gcc,
  ),
  ...group(
    linker,
    "only the linker reads it",
    [...separate("text", "-rpath", "-undefined"), ...flags("-p")],
    clang,
  ),
  ...group(send, "it chooses a macro of clang as well as libraries", flags("-static", "--static")),
];

const assemblerWords: OptionRow[] = [
  ...group(
    send,
    "the object differs, no file is named",
    [
      ...flags(
        "--noexecstack",
        "--execstack",
        "--fatal-warnings",
        "--warn",
        "--no-warn",
        "-W",
        "-L",
        "--keep-locals",
      ),
      ...flags(
        "--32",
        "--64",
        "--x32",
        "-Z",
        "-R",
        "-J",
        "-K",
        "-n",
        "-O",
        "-O0",
        "-O1",
        "-O2",
        "-Os",
        "--divide",
        "-f",
      ),
      ...flags(
        "--reduce-memory-overheads",
        "--nocompress-debug-sections",
        "--strip-local-absolute",
        "--traditional-format",
      ),
      ...flags("--no-pad-sections", "--sectname-subst", "-mrelax", "-mno-relax"),
      ...joined(
        "text",
        "-g",
        "--gdwarf",
        "--gstabs",
        "-m",
        "--listing-",
        "--size-check=",
        "--elf-stt-common=",
      ),
      ...joined(
        "text",
        "--generate-missing-build-notes=",
        "--hash-size=",
        "--compress-debug-sections",
        "--alternate",
      ),
      ...both("folder", "-I"),
      ...either("text", "--defsym"),
    ],
    assembler,
  ),
  ...group(send, "the names it maps are the client's", either("text", "--debug-prefix-map"), {
    readers: ["assembler"],
    mapped: "local",
  }),
  ...group(
    { class: "extra-output", after: "=" },
    "the listing goes to stdout or to the file named, which comes back",
    joined("text", "-a"),
    assembler,
  ),
  ...group(
    local,
    "it writes files of its own or measures",
    [...either("output", "--MD"), ...both("output", "-o"), ...flags("--statistics"), ...joined("text", "-D")],
    assembler,
  ),
];

const compilerProperWords: OptionRow[] = [
  ...group(
    send,
    "sent with its wrapper",
    [
      ...flags(
        "-disable-llvm-passes",
        "-disable-O0-optnone",
        "-disable-llvm-verifier",
        "-disable-free",
        "-ffake-address-space-map",
      ),
      ...flags(
        "-fcolor-diagnostics",
        "-fno-color-diagnostics",
        "-discard-value-names",
        "-no-opaque-pointers",
        "-opaque-pointers",
      ),
      ...flags(
        "-fallow-half-arguments-and-returns",
        "-fnative-half-type",
        "-mconstructor-aliases",
        "-fexperimental-assignment-tracking",
      ),
      ...flags(
        "-fno-experimental-isel",
        "-fsized-deallocation",
        "-fno-sized-deallocation",
        "-fcoroutines-ts",
        "-fexceptions",
        "-fno-exceptions",
      ),
      ...flags(
        "-fcxx-exceptions",
        "-funwind-tables",
        "-mrelax-all",
        "-fno-rtti",
        "-frelaxed-template-template-args",
        "-fchar8_t",
        "-fno-char8_t",
      ),
      ...flags(
        "-menable-no-infs",
        "-menable-no-nans",
        "-menable-unsafe-fp-math",
        "-mreassociate",
        "-fdenormal-fp-math",
      ),
      ...equals(
        "text",
        "-std",
        "-fdebug-default-version",
        "-ftrivial-auto-var-init",
        "-fblocks-runtime-optional",
      ),
      ...separate(
        "text",
        "-target-feature",
        "-target-cpu",
        "-tune-cpu",
        "-main-file-name",
        "-ferror-limit",
        "-fmessage-length",
      ),
      ...equals(
        "text",
        "-ferror-limit",
        "-fmessage-length",
        "-debug-info-kind",
        "-dwarf-version",
        "-debugger-tuning",
      ),
      ...joined("text", "-W", "-O", "-cl-", "-fdiagnostics-", "-fno-diagnostics-", "-R"),
    ],
    cc1,
  ),
];

const llvmWords: OptionRow[] = [
  ...group(
    send,
    "a tuning switch of LLVM; it names no file",
    [
      ...joined(
        "text",
        "-inline",
        "-enable-",
        "-disable-",
        "-unroll-",
        "-asan-",
        "-msan-",
        "-tsan-",
        "-hwasan-",
        "-vectorize",
      ),
      ...joined(
        "text",
        "-sanitizer-coverage-",
        "-x86-",
        "-aarch64-",
        "-arm-",
        "-slp-",
        "-align-",
        "-max-",
        "-instcombine-",
        "-polly",
      ),
      ...joined(
        "text",
        "-force-",
        "-treat-scalable-fixed-error-as-warning",
        "-stackmap-version=",
        "-hot-cold-split",
        "-import-",
      ),
      ...joined(
        "text",
        "-debug-info-correlate",
        "-generate-type-units",
        "-warn-stack-size=",
        "-global-merge",
        "-jump-table-",
      ),
      ...joined(
        "text",
        "-regalloc",
        "-stack-alignment=",
        "-fast-isel",
        "-global-isel",
        "-min-jump-table-entries=",
        "-emulated-tls",
      ),
    ],
    llvm,
  ),
  ...group(
    local,
    "it reads or writes files of its own",
    joined("text", "-polly-export", "-polly-import", "-polly-dump"),
    llvm,
  ),
];

/** Sorted by name, then by what follows; the same name appears again only for another family, reader or spelling. */
export const optionTable: readonly OptionRow[] = [
  ...actions,
  ...dependencyOutput,
  ...search,
  ...plugins,
  ...precompiled,
  ...extraInputs,
  ...extraOutputs,
  ...recorded,
  ...machine,
  ...reports,
  ...wrappers,
  ...linking,
  ...assemblerWords,
  ...compilerProperWords,
  ...llvmWords,
].sort(byName);

function byName(left: OptionRow, right: OptionRow): number {
  return order(left) < order(right) ? -1 : order(left) > order(right) ? 1 : 0;
}

function order(row: OptionRow): string {
  return [row.name, row.spelling, row.families.join("+"), row.readers.join("+")].join(" ");
}
