/** Entry of dist/homcc.mjs: the command line of homcc, for calls that the native launcher does not answer itself. */
import { loadSettings } from "@homcc/config/load";
import { describeError, exitStatusOf, HomccError } from "@homcc/observability/error";
import { clientLine, silentLogger } from "@homcc/observability/log";
import { type ClientCommand, parseClientCommandLine } from "./command-line.ts";
import { showAudits } from "./ask/audits.ts";
import { showStats } from "./ask/stats.ts";
import { showStatus } from "./ask/status.ts";
import type * as doctorProgram from "./doctor.ts";
import { launch } from "./launcher.ts";
import { throughLinkVariable } from "./launcher/find-compiler.ts";
import { installationAround } from "./launcher/installation.ts";
import { notify } from "./launcher/notices.ts";
import { poolFilePath } from "./remote/pools/pool-file.ts";
import { ServerPools } from "./remote/pools/server-pools.ts";
import { showConcurrency, showHosts, type Shown, showVariables } from "./show.ts";

/** EX_SOFTWARE: a bug. */
const bugStatus = 70;
/** Options with which the command is to be looked at and must not run. */
const questions = ["explain", "scan-includes", "verify-scan"];

// `homcc --help | head -1` closes the pipe early; that is no error.
process.stdout.on("error", () => {});
process.exit(await main(process.argv.slice(2)));

async function main(argv: readonly string[]): Promise<number> {
  const environment = definedVariables(process.env);
  try {
    const command = parseClientCommandLine(argv, environment[throughLinkVariable] !== undefined);
    if (command.kind === "print") return print(command);
    if (command.kind === "show") return print(await show(command, environment));
    if (command.kind === "status") return print(await showStatus(command.json, environment, command.options));
    if (command.kind === "stats") return print(await showStats(command.json, command.zero, environment));
    if (command.kind === "audit") return print(showAudits(command, environment));
    if (command.kind === "pair") return print(await pair(command.line, environment));
    if (command.kind === "doctor") return await examine(command, environment);
    if (isQuestion(command) && (environment["HOMCC_NO_AGENT"] ?? "") !== "") throw noAnswer();
    return await launch(command.command, { environment, options: command.options });
  } catch (error) {
    await notify(environment, Buffer.from(`${clientLine("ERROR", describeError(error))}\n`));
    return error instanceof HomccError ? (exitStatusOf[error.code] ?? 1) : bugStatus;
  }
}

async function show(
  { what, options }: Extract<ClientCommand, { kind: "show" }>,
  environment: Readonly<Record<string, string>>,
): Promise<Shown> {
  if (what === "variables") return showVariables(environment);
  const configured = await loadSettings({ environment, commandLine: options, cwd: process.cwd() });
  const pools = new ServerPools({ path: poolFilePath(environment), logger: silentLogger });
  const loaded = await pools.resolveNow(configured);
  if (what === "concurrency")
    return showConcurrency(
      loaded,
      loaded.pools.map((line) => pools.describe(line)),
    );
  const shown = showHosts(loaded);
  // The variable and the key are about builds: scripts that read the lines get them, without a network.
  if (options["verbose"] === undefined || shown.status !== 0) return shown;
  const program: typeof doctorProgram = await import(installationAround(import.meta.dirname).doctorPath);
  return { ...shown, stdout: await program.tellServers(loaded, environment) };
}

async function pair(line: string | undefined, environment: Readonly<Record<string, string>>): Promise<Shown> {
  // Nothing else here needs certificates.
  const { pairWith } = await import("./pairing/pair.ts");
  const prompt = (text: string): void => void process.stderr.write(text);
  const stdout = await pairWith({ line, input: process.stdin, prompt, environment, cwd: process.cwd() });
  return { status: 0, stdout, stderr: "" };
}

/** A bundle of its own: it has the agent's whole work in it, which no other call should load. */
async function examine(
  { hosts, options }: Extract<ClientCommand, { kind: "doctor" }>,
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  const installation = installationAround(import.meta.dirname);
  const program: typeof doctorProgram = await import(installation.doctorPath);
  return await program.examine({ hosts, options, environment, installation });
}

function isQuestion({ options }: Extract<ClientCommand, { kind: "launch" }>): boolean {
  return questions.some((name) => options[name] !== undefined);
}

function noAnswer(): HomccError {
  return new HomccError(
    "ERR_HOMCC_UNAVAILABLE",
    `${questions.map((name) => `--${name}`).join(", ")} are answered by the agent`,
    {
      hint: "HOMCC_NO_AGENT is set",
    },
  );
}

/** Node writes files, pipes and terminals synchronously on Linux, so that nothing is lost at the end. */
function print({ status, stdout, stderr }: Shown): number {
  if (stdout !== "") process.stdout.write(stdout);
  if (stderr !== "") process.stderr.write(stderr);
  return status;
}

function definedVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  const defined: Record<string, string> = {};
  for (const [name, text] of Object.entries(environment)) {
    if (text !== undefined) defined[name] = text;
  }
  return defined;
}
