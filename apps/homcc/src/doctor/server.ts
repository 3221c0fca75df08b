import type { Host } from "@homcc/config/hosts";
import { outcomes } from "@homcc/observability/outcomes";
import { hostIdOf } from "@homcc/scheduler/host";
import type { ExaminedCompiler } from "./compilers.ts";
import { examineConnection, type Greeted } from "./connection.ts";
import type { Examination } from "./examination.ts";
import { examineName } from "./resolution.ts";
import { examineSsh } from "./ssh.ts";
import { compileOn, type TestCompile, type TestCompileCall } from "./test-compile.ts";
import { examineWelcome } from "./welcome.ts";

export interface ServerCall extends TestCompileCall {
  readonly compilers: readonly ExaminedCompiler[];
}

const afterConnection = "version, executor, slots, clock, disk, toolchains, test compiles";

/** Goes from the name of a server to an object that it made. */
export async function examineServer(host: Host, call: ServerCall, examination: Examination): Promise<void> {
  examination.section(`Server ${hostIdOf(host)} (${host.source})`);
  const greeted = await examineWay(host, call, examination);
  if (greeted === undefined) return;
  examineWelcome(host, greeted, examination);
  const compiles: { readonly word: string; readonly compile: TestCompile }[] = [];
  for (const compiler of call.compilers)
    compiles.push({ word: compiler.word, compile: await compileOn(host, compiler, call) });
  const someWork = compiles.some(({ compile }) => compile.isSame !== undefined);
  const inSandbox = call.loaded.settings.sandbox.kind !== "none";
  for (const { word, compile } of compiles) tellCompile(word, compile, { someWork, inSandbox }, examination);
}

async function examineWay(
  host: Host,
  { loaded, services }: ServerCall,
  examination: Examination,
): Promise<Greeted | undefined> {
  const timeoutMs = loaded.settings.establishConnectionTimeoutMs;
  const tunnel = services.tunnels.to(host);
  if (tunnel !== undefined)
    return await examineSsh(host, tunnel, { timeoutMs, afterConnection }, examination);
  const addresses = await examineName(host, examination);
  if (addresses.length === 0) {
    examination.stop("the name", `connection, ${afterConnection}`);
    return undefined;
  }
  const greeted = await examineConnection(host, addresses, timeoutMs, examination);
  if (greeted === undefined) examination.stop("the connection", afterConnection);
  return greeted;
}

function tellCompile(
  word: string,
  { conclusion, tookMs, isSame }: TestCompile,
  { someWork, inSandbox }: { readonly someWork: boolean; readonly inSandbox: boolean },
  examination: Examination,
): void {
  const { outcome, detail } = conclusion;
  if (isSame === true) {
    examination.ok(`test compile with ${word}: the local compiler's object, ${Math.round(tookMs)} ms`);
    return;
  }
  if (isSame === false && inSandbox) {
    const text = "the sandbox's compiler made it, which is another than the local one";
    examination.ok(`test compile with ${word}: ${text}, ${Math.round(tookMs)} ms`);
    return;
  }
  if (isSame === false) {
    examination.problem(
      `test compile with ${word}: the object is another than the local compiler's`,
      "set HOMCC_HOSTS to another server, and please report this with what `homcc doctor` prints",
    );
    return;
  }
  const { number, label, cure } = outcomes[outcome];
  if (outcome === "toolchain-under-way") {
    const what = `${label}, and takes this machine's: the first job sends it in the background`;
    examination.note(`test compile with ${word}: ${what} (outcome ${number}): ${detail}`);
    return;
  }
  const text = `test compile with ${word}: ${label} (outcome ${number})${detail === "" ? "" : `: ${detail}`}`;
  const isMissingThere = outcome === "toolchain-differs" && detail.includes("there none");
  if (!isMissingThere) examination.problem(text, cure);
  else if (someWork) examination.note(`${text}. That compiler is not installed there; others are`);
  else examination.problem(text, `the server has no such compiler: install it there. ${cure}`);
}
