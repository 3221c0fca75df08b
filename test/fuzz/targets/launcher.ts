import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { encodeReply } from "@homcc/launch/codec";
import type { LaunchReply } from "@homcc/launch/messages";
import type { Random } from "../random.ts";
import { SanitizedProgram, whyNotSanitized } from "../sanitized-programs.ts";
import { type FuzzTarget, must } from "../target.ts";

const timeoutMs = 20_000;

interface Site {
  readonly program: SanitizedProgram;
  readonly agent: Server;
  /** What the agent says to the next launcher. */
  replies: Buffer;
}

let site: Promise<Site> | undefined;

/** Replies of an agent to the launcher in C, built with the sanitizers. */
export const launcher: FuzzTarget = {
  name: "launcher",
  property: "the launcher ends, and never touches memory that is not its own",
  startsProcesses: true,
  unavailable: whyNotSanitized,
  generate: (random) => Buffer.concat(random.many(1, 4, () => Buffer.from(encodeReply(replyOf(random))))),
  async check(input) {
    site ??= openSite();
    const { program } = Object.assign(await site, { replies: input });
    const child = spawn(program.path, ["mycc", "-c", "x.c"], {
      cwd: program.folder,
      env: {
        ...program.environment,
        HOMCC_DIR: join(program.folder, "h"),
        PATH: join(program.folder, "compilers"),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.resume();
    child.stderr.resume();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    await once(child, "close");
    clearTimeout(timer);
    must(!isLate, "the launcher does not end");
    program.mustBeSilent();
  },
  close() {
    void site?.then(({ program, agent }) => {
      agent.close();
      program[Symbol.dispose]();
    });
    site = undefined;
  },
};

async function openSite(): Promise<Site> {
  const program = new SanitizedProgram("bin/homcc", ["launcher.c"]);
  for (const folder of ["dist", "compilers"]) mkdirSync(join(program.folder, folder));
  mkdirSync(join(program.folder, "h/run"), { recursive: true, mode: 0o700 });
  // An agent that is started because the other one is not believed ends at once.
  symlinkSync("/bin/false", join(program.folder, "dist/node"));
  for (const name of ["agent.mjs", "homcc.mjs"]) writeFileSync(join(program.folder, "dist", name), "");
  symlinkSync("/bin/true", join(program.folder, "compilers/mycc"));
  const made: Site = {
    program,
    replies: Buffer.alloc(0),
    agent: createServer((socket) => {
      socket.on("error", () => {});
      socket.resume();
      socket.once("data", () => socket.end(made.replies));
    }),
  };
  made.agent.listen(join(program.folder, "h/run/agent.sock"));
  await once(made.agent, "listening");
  return made;
}

function replyOf(random: Random): LaunchReply {
  const command = { program: random.pick(["/bin/true", "", "/none"]), argv: random.many(0, 3, () => "word") };
  return random.pick<LaunchReply>([
    { kind: "accepted" },
    { kind: "accepted" },
    { kind: "stdout", bytes: random.bytes(random.below(30)) },
    { kind: "stderr", bytes: random.bytes(random.below(30)) },
    { kind: "notice", bytes: random.bytes(random.below(30)) },
    { kind: "exit", status: random.below(256) },
    { kind: "signal", signal: random.pick([1, 2, 6, 9, 11, 15, 19, 64]) },
    { kind: "execute", ...command },
    { kind: "supervise", ...command },
    { kind: "retired" },
  ]);
}
