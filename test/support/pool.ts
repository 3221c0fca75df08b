import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type CommandResult, runCommand } from "./command.ts";
import { homccdProgram, homccProgram } from "./repository.ts";
import { type Server, type ServerOptions, startServer } from "./server.ts";
import { systemPath, type Workplace } from "./workplace.ts";

/** A server with a folder of its own for keys, and the commands of its administrator. */
export interface PoolServer extends AsyncDisposable {
  readonly server: Server;
  readonly identityFolder: string;
  /** `homccd pair`, `clients`, `revoke`, `forget` beside the server that runs. */
  administer(...words: string[]): Promise<CommandResult>;
  /** The line that `homccd pair` prints for a client. */
  lineFor(name: string, ...words: string[]): Promise<string>;
}

export async function startPoolServer(
  identityFolder: string,
  options: ServerOptions = {},
): Promise<PoolServer> {
  const server = await startServer({
    ...options,
    options: ["--identity-dir", identityFolder, "--log-level", "DEBUG", ...(options.options ?? [])],
  });
  const command = [homccdProgram, "--no-config", "--identity-dir", identityFolder];
  command.push(
    "--store",
    server.storeFolder,
    "--listen",
    "127.0.0.1",
    "--port",
    String(server.port),
    "--jobs",
    "4",
  );
  const administer: PoolServer["administer"] = async (...words) =>
    await runCommand([...command, ...words], { cwd: "/", environment: { PATH: systemPath } });
  return {
    server,
    identityFolder,
    administer,
    lineFor: async (name, ...words) => {
      const { status, stdout, stderr } = await administer("pair", "--name", name, ...words);
      if (status !== 0) throw new Error(stderr);
      return stdout;
    },
    [Symbol.asyncDispose]: async () => await server.stop(),
  };
}

/** `homcc pair -` with the line on its input. */
export async function pairAt(workplace: Workplace, line: string): Promise<CommandResult> {
  return await workplace.run([homccProgram, "pair", "-"], { input: line });
}

/** The private key of a pairing as it may appear in a log: as in the line, as in the file, and as bytes in hexadecimal. */
export async function secretsOf(workplace: Workplace, line: string): Promise<string[]> {
  const key = line.trim().split("/")[8] ?? "";
  if (key.length !== 43) throw new Error("the line has another form");
  const fingerprint = line.split("/")[7] ?? "";
  const file = await readFile(join(workplace.homccFolder, "pairings", `${fingerprint}.pem`), "utf8");
  const pem = /PRIVATE KEY-----\n(.+)\n/.exec(file)?.[1] ?? "";
  const bytes = Buffer.from(key, "base64url");
  return [key, pem, bytes.toString("hex"), bytes.toString("base64")];
}
