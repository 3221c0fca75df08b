/**
 * The outcomes table: every job ends in exactly one of these. `--verbose`, `--explain`, `homcc stats`, docs/outcomes.md
 * and docs/troubleshooting.md are made from it. Numbers are stable: they are never reused for something else.
 *
 * kind: `remote`: the result came from a server · `local`: homcc decided beforehand that it belongs at home ·
 * `fallback`: it was sent or meant to be sent, and something of ours (network, server, sandbox) stood in the way.
 * Only `fallback` is turned into exit status 69 by `no_local_compilation`, and only it warns without --verbose.
 */
export interface Outcome {
  readonly number: number;
  readonly kind: "remote" | "local" | "fallback";
  /** Short text for `--verbose`: "Compiled locally: LABEL". */
  readonly label: string;
  /** What it means. */
  readonly paragraph: string;
  /** What a user can do about it: the section of docs/troubleshooting.md. */
  readonly cure: string;
  /** No file was to be compiled: such calls are counted apart, or links would pass for compiles that stayed at home. */
  readonly isNoCompile?: true;
}

export const outcomes = {
  "compiled-remotely": {
    number: 1,
    kind: "remote",
    label: "compiled remotely",
    paragraph: "A server compiled it and the outputs were written at home.",
    cure: "Nothing. If it was slow, `homcc status` shows the round trip and who holds the slots, and `HOMCC_DEBUG_DIR` what each phase took.",
  },
  "compile-error": {
    number: 2,
    kind: "remote",
    label: "compile error, reported by the remote compiler",
    paragraph:
      "The remote compiler ran on complete, verified inputs with the client's toolchain and ended with an error. Its messages and exit status are final.",
    cure: "Correct the source. Should the same command succeed without homcc, that is a bug of homcc: please report it with the texts that `HOMCC_DEBUG_DIR` leaves.",
  },
  "result-from-server": {
    number: 3,
    kind: "remote",
    label: "result of an earlier compile, from the server",
    paragraph:
      "The same command with the same inputs and the same toolchain was compiled before, perhaps for a colleague; the server sent what came of it then.",
    cure: "Nothing. `homccd --no-result-cache` makes a server compile every job.",
  },
  "result-from-home": {
    number: 4,
    kind: "remote",
    label: "result of an earlier compile, kept at home",
    paragraph:
      "The same command with the same inputs and the same toolchain was compiled on a server before, and the agent still had what came of it: no network was needed.",
    cure: "Nothing. `client_cache_size = 0` makes the agent ask a server for every compile.",
  },
  "not-a-compiler": {
    number: 10,
    kind: "local",
    label: "not a gcc or clang",
    paragraph:
      "The program does not answer like gcc or clang, so it is run unchanged. One that was killed, or timed out, before it answered is asked again soon.",
    cure: "Nothing if it is no compiler. A wrapper script around a compiler is recognised when it passes `-v` on to it; `homcc --explain` shows what homcc makes of the program.",
    isNoCompile: true,
  },
  "no-compilation": {
    number: 11,
    kind: "local",
    label: "nothing to compile",
    paragraph:
      "Preprocessing, a version query, a command without a source file: there is nothing a server could do.",
    cure: "Nothing: there was nothing to compile.",
    isNoCompile: true,
  },
  "linking-only": {
    number: 12,
    kind: "local",
    label: "linking only",
    paragraph: "Only object files and libraries are named: linking stays at home.",
    cure: "Nothing: links stay at home, also with many servers.",
    isNoCompile: true,
  },
  "local-option": {
    number: 13,
    kind: "local",
    label: "an option that belongs at home",
    paragraph:
      "One option of the command depends on the machine, reads files that are not shipped or writes files that do not come back. The detail names it; docs/compiler-options.md says why.",
    cure: "`homcc --explain` names the option and docs/compiler-options.md the reason. Where it is not needed for every file, set it for those that need it alone.",
  },
  "unknown-option": {
    number: 14,
    kind: "local",
    label: "an option homcc does not know",
    paragraph:
      "An option that is not in the table is followed by a word that could be its value. Please report it: the table is meant to be complete.",
    cure: "Write the option and its value as one word if the compiler allows it, as in `--option=value`, and report the option.",
  },
  "unsupported-language": {
    number: 15,
    kind: "local",
    label: "a language that is not distributed",
    paragraph: "Only C, C++, Objective-C and Objective-C++ sources and their preprocessed forms are sent.",
    cure: "Nothing: such files are compiled at home, beside the others.",
  },
  "configure-check": {
    number: 16,
    kind: "local",
    label: "a configure check",
    paragraph:
      "autoconf, CMake and Meson compile tiny files to learn about this machine; they run here and silently.",
    cure: "Nothing. A file of your own that is called `conftest.*` or lies in a folder like `CMakeScratch` is taken for a check: rename it.",
    isNoCompile: true,
  },
  "local-environment": {
    number: 17,
    kind: "local",
    label: "an environment variable that belongs at home",
    paragraph:
      "A variable like COMPILER_PATH changes which programs the compiler runs. docs/configuration.md lists them.",
    cure: "Unset the variable that the detail names, or set it for the commands that need it alone.",
  },
  "local-construct": {
    number: 18,
    kind: "local",
    label: "a construct in the source that reads other files",
    paragraph:
      "The source or a header uses .incbin, an assembler .include, a precompiled header or a module.",
    cure: "Nothing if few files are concerned. Precompiled headers and modules keep whole builds at home: switch them off (CMake: `-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON`).",
  },
  "special-output": {
    number: 19,
    kind: "local",
    label: "an output that is no regular file",
    paragraph: "The output is a device, a pipe, a folder or a symbolic link, or cannot be written.",
    cure: "Compile to a regular file in a folder you may write to.",
  },
  "not-utf8": {
    number: 20,
    kind: "local",
    label: "a name that is not UTF-8",
    paragraph: "An argument, the working folder or an input's name has bytes that are not UTF-8.",
    cure: "Rename the file or folder, or convert its name (`convmv -t utf8`).",
  },
  "recursive-call": {
    number: 21,
    kind: "local",
    label: "called from a compiler that homcc already runs",
    paragraph: "homcc was called by the program that it started; the inner call runs the real compiler.",
    cure: "Name homcc once: as a prefix or launcher, by a link in PATH, or by `CCACHE_PREFIX`; twice does no harm.",
    isNoCompile: true,
  },
  "other-root": {
    number: 22,
    kind: "local",
    label: "another file system root than the agent's",
    paragraph: "The call comes from a chroot or container; the agent cannot see its files.",
    cure: "Start an agent of the container's own: give it its own `HOMCC_DIR`, not the host's.",
  },
  "no-hosts": {
    number: 23,
    kind: "local",
    label: "no hosts are configured",
    paragraph: "Set HOMCC_HOSTS or write ~/.homcc/hosts.",
    cure: "Write one line for each server to `~/.homcc/hosts`, as in `buildserver/12`, or set `HOMCC_HOSTS`. `homcc doctor` names the files that were read.",
  },
  "unreadable-input": {
    number: 24,
    kind: "local",
    label: "an input cannot be read",
    paragraph:
      "The source or an include folder is missing or not readable; the local compiler says so in its own words.",
    cure: "The local compiler's own message says what is missing. An include folder without permission to search it counts as well.",
  },
  "inputs-unknown": {
    number: 25,
    kind: "local",
    label: "the inputs could not be determined",
    paragraph: "The compiler could not list what it reads, so a local run decides.",
    cure: "Run the command with `-M` added: what the compiler then says is the reason.",
  },
  "no-agent": {
    number: 26,
    kind: "local",
    label: "no agent",
    paragraph: "The agent could not be started or HOMCC_NO_AGENT is set with the native launcher alone.",
    cure: "`homcc doctor` says why: usually the folder of the agent's socket cannot be made private, or `HOMCC_NO_AGENT` is set.",
  },
  "contradictory-settings": {
    number: 27,
    kind: "local",
    label: "settings that contradict each other",
    paragraph:
      "A schroot profile and a docker container at once: either choice could compile in the wrong place, so the job ends with 64. Configure checks and questions to the compiler still run here.",
    cure: "Remove one of the two: `homcc --show-variables` shows the variables, `homcc doctor` the files that were read. `--no-sandbox` ignores both for one call.",
  },
  "sooner-at-home": {
    number: 28,
    kind: "local",
    label: "done sooner here than on a server",
    paragraph:
      "What was measured of the link and of earlier compiles says that the build would be done sooner by this machine alone, by more than a tenth: the missing files would take the uplink too long, the object the downlink, or the servers are busy.",
    cure: "Nothing, if the figures of the detail are right: the link is measured all the time, and a server is tried again once a minute. `no_local_compilation` sends every job whatever it takes.",
  },
  "local-share": {
    number: 29,
    kind: "local",
    label: "local cores take part",
    paragraph:
      "The hosts have a `localhost` line, and by what was measured the file is done here sooner than on a server. Or nobody knew yet how long the job's files would be on their way, and local cores were idle: the first jobs of a build through a thin link.",
    cure: "Nothing. Without a `localhost` line local cores take jobs only when servers are slower than this machine alone, or while that is found out. `no_local_compilation` sends every job.",
  },
  "toolchain-differs": {
    number: 40,
    kind: "fallback",
    label: "the server has another toolchain",
    paragraph:
      "The server's compiler of that name differs from the client's in at least one file, and the server does not take the client's. Both identities are in the detail.",
    cure: "Install the same version of the compiler, of binutils and of the C library's compiler files on both machines, from the same distribution; `homcc doctor` shows both identities. Or let the server take the client's (`toolchains = shipped`, with the executor `namespace`; `max_toolchain_size` if it is too large), or name a folder with it there (`homccd toolchain add`).",
  },
  "toolchain-unknown": {
    number: 58,
    kind: "fallback",
    label: "the compiler cannot be compared",
    paragraph:
      "It cannot be said what the compiler consists of: its assembler is a script, LD_LIBRARY_PATH gives it other libraries than its loader finds, or its files are being replaced at this moment.",
    cure: "The detail names the file. Register libraries with the system (`/etc/ld.so.conf.d` and `ldconfig`, or a RUNPATH in the compiler) in place of LD_LIBRARY_PATH, put a program in place of the script. During an upgrade: nothing, the jobs after it are sent.",
  },
  "toolchain-under-way": {
    number: 57,
    kind: "fallback",
    label: "the server does not have the toolchain yet",
    paragraph:
      "The server has no compiler like the client's and takes it from the client: it is uploaded in the background while jobs are compiled at home. The first job after the upload goes to the server.",
    cure: "Wait: `homcc status` shows how much of it is there and how long the rest takes. It is sent once; the same compiler installed on the server, or a folder with it that `homccd toolchain add` names, saves the upload.",
  },
  "no-server": {
    number: 41,
    kind: "fallback",
    label: "no server could be reached",
    paragraph: "Every host refused the connection, timed out, or is known to be down.",
    cure: "`homcc doctor` names the step that fails for each server: name, connection, or version. Is the VPN up, does homccd run, is the port right? A server that comes back is used again within ten seconds.",
  },
  "not-trusted": {
    number: 61,
    kind: "fallback",
    label: "server and user do not trust each other",
    paragraph:
      "A server of a hosts line with `key=` or `tls` does not prove who it is, or refuses this user: another key, no TLS, a pairing that expired or was revoked. Nothing of the job was sent, and no other way was tried.",
    cure: "The detail has both fingerprints where they differ: if the pool has a new key, pair again; if not, somebody else answers at that address. For a pairing that expired or was revoked ask the administrator for a line of `homccd pair`. `homcc doctor` says the same of every server.",
  },
  refused: {
    number: 42,
    kind: "fallback",
    label: "refused by the server",
    paragraph: "The server does not run this command; the detail is its reason.",
    cure: "The detail is the server's reason, and homccd's log has it too. A newer homcc on both sides may know the option.",
  },
  "connection-lost": {
    number: 43,
    kind: "fallback",
    label: "the connection was lost",
    paragraph:
      "The server or the network went away while the job was running, and was not back within four seconds.",
    cure: "Now and then: nothing. Often: look at the network (`ping`, the VPN's log) and at homccd's log, whether it was restarted or ran out of memory.",
  },
  "timed-out": {
    number: 44,
    kind: "fallback",
    label: "timed out",
    paragraph:
      "A server had the job for compilation_request_timeout, and in that time sent no result, and no byte of the job moved.",
    cure: "Raise `compilation_request_timeout` if the file really compiles for minutes; else `homcc status` shows whether the server has more jobs than slots. LIMIT in the hosts file should not exceed the server's slots.",
  },
  "remote-crash": {
    number: 45,
    kind: "fallback",
    label: "the remote compiler was killed or crashed",
    paragraph: "The remote compiler died of a signal or of an internal error.",
    cure: "Where the local compile crashes too, it is the compiler's bug. Else the server is short of memory: give homccd fewer slots (`limit`).",
  },
  "remote-limit": {
    number: 46,
    kind: "fallback",
    label: "a resource limit of the server",
    paragraph: "The job needed more memory, disk or processes than the server grants.",
    cure: "Give the server more memory or disk, or homccd fewer slots (`limit`).",
  },
  "missing-file": {
    number: 47,
    kind: "fallback",
    label: "a file was missing on the server",
    paragraph:
      "The remote compiler asked for a file that was not among the inputs, also after the compiler here had listed them: an error of ours.",
    cure: "Please report it with the texts that `HOMCC_DEBUG_DIR` leaves and what `homcc --verify-scan` prints: homcc did not find a file that the compiler reads.",
  },
  "mapped-failure": {
    number: 48,
    kind: "fallback",
    label: "failed in a mapped folder",
    paragraph: "The server has no namespaces; a failing compile there is repeated at home.",
    cure: "Nothing if the local compile fails too. Let the server use namespaces: `homcc doctor` says what is in the way there.",
  },
  "mapped-unsupported": {
    number: 49,
    kind: "fallback",
    label: "needs a server with namespaces",
    paragraph: "The server can only map paths, and this command's result would show it.",
    cure: "Let the server use namespaces (`homcc doctor` says what is in the way there), or leave out the option that the detail names.",
  },
  "input-changed": {
    number: 50,
    kind: "fallback",
    label: "an input changed during the job",
    paragraph: "A source or header was written while it was being sent.",
    cure: "Do not edit or generate files while they are being compiled. A generated header that changes in every build needs a dependency in the build's rules.",
  },
  "output-failed": {
    number: 51,
    kind: "fallback",
    label: "an output could not be written",
    paragraph: "The result arrived but the folder, the disk or the permissions at home did not take it.",
    cure: "Make room on the disk, or correct the permissions of the folder that the detail names.",
  },
  "server-full": {
    number: 52,
    kind: "fallback",
    label: "the server's disk is full",
    paragraph: "The server could not store the inputs or the outputs, even after evicting.",
    cure: "On the server: make room on the disk of its store, choose another with `store`, or lower `max_dependency_cache_size` below what is free.",
  },
  "locale-missing": {
    number: 53,
    kind: "fallback",
    label: "the server lacks the locale of the messages",
    paragraph: "The compiler printed messages, and the server does not have the client's locale.",
    cure: "Generate the locale on the server (`locale-gen`), or build with `LC_MESSAGES=C`.",
  },
  "verdict-mismatch": {
    number: 54,
    kind: "fallback",
    label: "remote and local disagree",
    paragraph:
      "The remote compile failed and the local one succeeded, or the other way round: please report it.",
    cure: "Please report it with the texts that `HOMCC_DEBUG_DIR` leaves. `no_local_compilation` must not hide it.",
  },
  "sandbox-unavailable": {
    number: 56,
    kind: "fallback",
    label: "the sandbox cannot be used",
    paragraph:
      "The schroot profile or docker container does not exist on the server, may not be used, or cannot compile this. `strict_sandbox` ends such jobs with 69.",
    cure: "The message names what exists on the server and the line to change there: docs/sandboxes.md has the set-up of both kinds. `homccd --profiles` shows an administrator what clients may name.",
  },
  "server-quarantined": {
    number: 64,
    kind: "fallback",
    label: "an audit found a difference in what the server made",
    paragraph:
      "The agent repeated a compile of this server here, and something came out differently. Until its version changes, for a week at most, it gets no jobs; the detail is its name. With other servers jobs go there.",
    cure: "`homcc audit` says what differs and where the bundle for diagnosis lies; please report it. Compile anew what came from that server. `homcc audit --clear` gives it jobs again.",
  },
  "flags-quarantined": {
    number: 65,
    kind: "fallback",
    label: "an audit found a difference with these flags",
    paragraph:
      "Compiles with these flags came out differently on several servers and here, or a result that was kept at home did. Until the compiler here changes, for a week at most, commands with them stay at home; the detail has the flags.",
    cure: "`homcc audit` says what differs and where the bundle for diagnosis lies; please report it. `homcc audit --clear` sends such commands to servers again.",
  },
  "internal-error": {
    number: 55,
    kind: "fallback",
    label: "an error in homcc",
    paragraph: "A bug. The build goes on locally; the agent's log has the details.",
    cure: "Please report it with the lines of the agent's log; `homcc status` says where that is.",
  },
} as const satisfies Record<string, Outcome>;

export type OutcomeName = keyof typeof outcomes;
