/** docs/configuration.md and docs/outcomes.md, from the tables; `scripts/docs.ts` writes them. */
import { type Outcome, outcomes } from "@homcc/observability/outcomes";
import { keysOf, optionsOf, type Option, type Program } from "./options.ts";

const notice = (source: string) => `<!-- Made from ${source} by scripts/docs.ts: do not edit. -->\n`;

const configurationOpening = `# Configuration

Nothing needs to be configured but the servers: one line each in \`~/.homcc/hosts\`, or the variable \`HOMCC_HOSTS\`.

## Where settings come from

The command line beats the environment, and the environment beats the files. An empty variable counts as absent.
Files are looked up in these folders, the first one first:

| folder | |
|---|---|
| \`$HOMCC_DIR\` | when that variable is set |
| \`~/.homcc\` | |
| \`~/.config/homcc\` | |
| \`/etc/homcc\` | |

The first file \`hosts\` that is not empty counts. All files \`homcc.conf\` count: they merge key by key, and the first
folder wins. Settings belong to the job: variables and \`~\` are those of the shell that runs the compiler, and a changed file
counts from the next job on; nothing needs to be restarted. homccd reads its settings once, when it starts.

A line or a value that cannot be used never stops a build: homcc names it once, with what is allowed, and ignores it.
homccd refuses to start with it (exit status 78).

## hosts

\`\`\`
localhost/4                # local jobs at once; without a limit 2, without such a line as many as CPUs
buildserver/12             # name, 12 jobs at once; without a limit 2
192.168.0.1:3126/21        # with a port; without one 3126
[FC00::1]:3126/42,lzo      # IPv6; lzo or lzma compression for a server of homcc 1.x
@buildserver/24            # through SSH; the port, here 3126, is homccd's and not sshd's
me@buildserver:3127/24     # through SSH as that user
build1.example.com/34,key=ehH-8RhVC8uTWcvW7OSox8oL-ErtNrREW5C83WtzvAs    # paired: TLS, and only with that key
build2.example.com/34,tls  # TLS, with a certificate for that name
srv:_homcc._tcp.example.com/12  # all servers that DNS has under that name, 12 jobs at once on each
\`\`\`

Names consist of letters, digits, \`-\`, \`_\` and \`.\`. An IPv6 address without a port needs no brackets. Blanks separate
hosts; next to \`/\`, \`,\`, \`:\` and \`#\` they mean nothing. \`#\` starts a comment. \`HOST/0\` is never chosen. \`localhost\` is
this machine and is never contacted; of several such lines the last counts. With such a line this machine also takes files that
it is known to compile sooner than a server. With \`key=\` (which \`homcc pair\` writes) or \`tls\` a server has to prove who it is, and hears nothing
outside TLS; another line for the same address does not change that. A compression may stand beside either. homcc 1.x does not understand
such lines and leaves them out: it has no TLS. A host with an \`@\` is always contacted, also \`@localhost\`.

## A pool that is named by DNS

\`srv:NAME\` stands for the servers in the SRV records of NAME, so that whoever runs them adds or drains one without touching anybody's
hosts file. What else the line says (limit, compression, \`key=\`, \`tls\`) holds for each of them. The name may be any; \`_homcc._tcp\` and your domain is
the usual one. A zone file has for example:

\`\`\`
_homcc._tcp.example.com. 60 IN SRV 10 60 3126 build1.example.com.
_homcc._tcp.example.com. 60 IN SRV 10 20 3126 build2.example.com.
_homcc._tcp.example.com. 60 IN SRV 20 0  3126 spare.example.com.
\`\`\`

The first number is the priority: of the servers that can be reached, those with the lowest one get the jobs, and the others none. The
second is the weight, the share among equals. The agent asks when a job needs an answer that is half a minute old (Node does not tell how
long one holds), in the background: jobs use the last one meanwhile. Only the first job of a pool of which nothing is known waits for it, 0.7 s at
most. A lookup that fails changes nothing, nor does "no such name", which is what you get while the VPN is down; the last answer outlives the agent
(\`pools.json\` in its folder). Only an answer that names other servers, or a record with the target \`.\`, takes one out: it gets no new jobs,
and what runs there is finished. A server with a line of its own in the hosts file is used as that line says. \`homcc -j\` counts the servers with the
best priority, \`homcc --show-hosts\`, \`status\` and \`doctor\` show who is in the pool.

## Servers behind SSH

\`USER@HOST[:PORT]\` and \`@HOST[:PORT]\` reach a homccd through OpenSSH: it needs to listen on the server's loopback interface
only (\`homccd --listen 127.0.0.1\`), and nothing on the way can read or change what is sent. HOST is what \`ssh HOST\` understands,
names of your \`~/.ssh/config\` included. PORT is homccd's. sshd's port, keys and the like stand in \`~/.ssh/config\` or in
\`HOMCC_SSH_OPTIONS\`; options are part of the server's name in \`homcc status\`, because they may lead to another machine.

- **The login must ask nothing.** Keys without a passphrase, ssh-agent and Kerberos work; a password or an unknown host key does
  not, since nobody is there to answer. \`ssh HOST\` once by hand accepts the key, and \`homcc doctor\` says at which step it ends.
- **One ssh process a server**, started by the first job, in that job's environment (\`SSH_AUTH_SOCK\`, \`PATH\`), and shared by all
  jobs of the agent. It is replaced when the connection is lost, and ends after \`HOMCC_SSH_CONTROL_PERSIST\` seconds without a
  job and with the agent. The first job waits for the login, about ten round trips.
- **A server that turns the login away** (permission denied, host key) is asked again after a minute, then two, up to 15: more
  would get your address banned on many servers. Another \`SSH_AUTH_SOCK\` or \`HOMCC_SSH_OPTIONS\` is tried at once.
- Forwards, multiplexing and local commands of \`~/.ssh/config\` do not concern this process, and your own sessions are not used
  by it. \`AllowTcpForwarding\` of sshd must allow it; a key can be limited to it with
  \`restrict,port-forwarding,permitopen="localhost:3126"\` in \`authorized_keys\`.

## homcc.conf

The file is read as Python's \`configparser\` reads it: \`KEY = VALUE\` or \`KEY: VALUE\` in sections \`[homcc]\` and \`[homccd]\`,
full-line comments with \`#\` or \`;\`, deeper indented lines continue a value, keys of \`[DEFAULT]\` belong to both
sections, \`%(KEY)s\` inserts another value and \`%%\` is a percent sign.

\`\`\`ini
[homcc]
compilation_request_timeout = 120
log_level = INFO

[homccd]
limit = 64
max_dependency_cache_size = 20G
\`\`\`

A boolean is \`1\`, \`yes\`, \`true\`, \`on\`, \`0\`, \`no\`, \`false\` or \`off\` in a file. In a variable whatever begins with \`1\`,
\`yes\` or \`true\`, or is \`on\`, is true, and all else is false.
`;

const programTitles: Readonly<Record<Program, string>> = {
  homcc: "Options of homcc",
  homccd: "Options of homccd",
};

/** Text of docs/configuration.md. */
export function renderConfigurationDocument(): string {
  const programs: readonly Program[] = ["homcc", "homccd"];
  return [
    notice("packages/config/src/options.ts"),
    configurationOpening,
    ...programs.flatMap((program) => [
      `## ${programTitles[program]}\n`,
      ...optionsOf(program).map(([name, option]) => renderOption(name, option)),
    ]),
  ].join("\n");
}

function renderOption(name: string, option: Option): string {
  const value = option.type.metavar === "" ? "" : ` ${option.type.metavar}`;
  const rows = [
    ["flag", option.flags.map((flag) => code(flag + value)).join(", ")],
    ["variable", option.variables.map(code).join(", ")],
    ["key", keysOf(option).map(code).join(", ")],
    ["allowed", option.type.metavar === "" && option.variables.length === 0 ? "" : option.type.allowed],
    ["default", code(option.default ?? option.computedDefault ?? "")],
    ["set by", option.setBy],
  ].filter(([, text]) => text !== "" && text !== "``");
  const table = rows.map(([title, text]) => `| ${title} | ${text} |`).join("\n");
  return `### ${name}\n\n${option.paragraph}\n\n| | |\n|---|---|\n${table}\n`;
}

function code(text: string): string {
  return `\`${text}\``;
}

const kinds: readonly {
  readonly kind: Outcome["kind"];
  readonly title: string;
  readonly paragraph: string;
}[] = [
  {
    kind: "remote",
    title: "Remote",
    paragraph: "The result came from a server.",
  },
  {
    kind: "local",
    title: "Local",
    paragraph:
      "homcc decided beforehand that the job belongs at home. `no_local_compilation` does not forbid these, and only `--verbose` prints them.",
  },
  {
    kind: "fallback",
    title: "Fallback",
    paragraph:
      "The job was meant for a server, and something of ours stood in the way. It ends with what a local compilation gives and with a warning; with `no_local_compilation` it ends with exit status 69 instead.",
  },
];

/** Text of docs/outcomes.md. */
export function renderOutcomesDocument(): string {
  const opening = `# Outcomes

Every job ends in exactly one of these. \`homcc --verbose COMPILER …\` prints it in one line, \`homcc --explain COMPILER …\`
says beforehand what is to be expected. Numbers are stable.
`;
  return [notice("packages/observability/src/outcomes.ts"), opening, ...kinds.map(renderKind)].join("\n");
}

function renderKind({ kind, title, paragraph }: (typeof kinds)[number]): string {
  const rows = Object.entries<Outcome>(outcomes)
    .filter(([, outcome]) => outcome.kind === kind)
    .sort(([, one], [, other]) => one.number - other.number)
    .map(
      ([name, outcome]) => `| ${outcome.number} | ${code(name)} | ${outcome.label} | ${outcome.paragraph} |`,
    );
  return `## ${title}\n\n${paragraph}\n\n| number | name | label | meaning |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}
