import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runCommand } from "./command.ts";
import { systemPath } from "./workplace.ts";

/** The strict peer in the wire format of homcc 1.x: `v1-peer.py` says what it does. */
const peerProgram = join(import.meta.dirname, "v1-peer.py");
/** Debian's, which has Debian's python3-lzo. */
const python = "/usr/bin/python3";

export interface V1Request {
  readonly args: readonly string[];
  readonly cwd: string;
  /** The client's path of each file, and where it lies on this machine. */
  readonly files: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly compression?: string;
  readonly schroot_profile?: string;
  readonly docker_container?: string;
}

export interface V1Answer {
  readonly answer: {
    readonly message_type: string;
    readonly info?: string;
    readonly return_code?: number;
    readonly stdout?: string;
    readonly stderr?: string;
  };
  /** SHA-1 of each file that the server asked for. */
  readonly asked: readonly string[];
  readonly outputs: ReadonlyMap<string, Buffer>;
  readonly dwarf: readonly string[];
}

/** A 1.x client: one compilation, from its connection to the end. Throws when the server says anything 1.x would not. */
export async function askAsV1Client(port: number, request: V1Request): Promise<V1Answer> {
  const { status, stdout, stderr } = await runCommand(
    [python, peerProgram, "client", "127.0.0.1", String(port)],
    {
      cwd: "/",
      environment: { PATH: systemPath },
      input: JSON.stringify(request),
    },
  );
  if (status !== 0) throw new Error(`the 1.x client ended with ${status}: ${stderr}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by our own program
  const { outputs, ...rest } = JSON.parse(stdout) as Omit<V1Answer, "outputs"> & {
    outputs: Record<string, string>;
  };
  const decoded = Object.entries(outputs).map(([path, text]) => [path, Buffer.from(text, "base64")] as const);
  return { ...rest, outputs: new Map(decoded) };
}

/** One conversation as the 1.x server saw it. */
export interface V1Conversation {
  readonly message_type?: string;
  readonly arguments?: V1Request & { readonly dependencies: Readonly<Record<string, string>> };
  readonly asked: number;
  readonly error?: string;
}

export interface V1Server extends AsyncDisposable {
  readonly port: number;
  /** So far; those that began with what 1.x does not know are among them. */
  readonly conversations: V1Conversation[];
}

/** A 1.x server on loopback. `variables` of its environment are for the docker it asks. */
export async function startV1Server(
  limit = 4,
  port = 0,
  variables: Readonly<Record<string, string>> = {},
): Promise<V1Server> {
  const child = spawn(python, [peerProgram, "server", String(port), String(limit)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: systemPath, LANG: "C.UTF-8", ...variables },
  });
  const ended = once(child, "close");
  const lines = createInterface({ input: child.stdout });
  const [first] = (await Promise.race([once(lines, "line"), ended])) as unknown[];
  if (typeof first !== "string") throw new Error("the 1.x server did not start");
  const conversations: V1Conversation[] = [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by our own program
  lines.on("line", (line) => conversations.push(JSON.parse(line) as V1Conversation));
  return {
    port: Number(first),
    conversations,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
