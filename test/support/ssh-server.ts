import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { endProcesses, processTree } from "./processes.ts";
import { unusedPort } from "./strange-server.ts";
import { waitFor } from "./wait-for.ts";

const run = promisify(execFile);

/** A real sshd on loopback, with keys of its own, that lets in whoever runs the tests. */
export interface SshServer extends AsyncDisposable {
  /** sshd's own. */
  readonly port: number;
  readonly user: string;
  readonly folder: string;
  /** An ssh_config that knows it as `build`, for `HOMCC_SSH_OPTIONS=-F …`. */
  readonly configFile: string;
  /** A port of this machine that leads through an ssh of its own to `port` of loopback behind the sshd. */
  forward(port: number): Promise<SshForward>;
  /** How often somebody has logged in. */
  logins(): Promise<number>;
  log(): Promise<string>;
  /** Ends it and every connection. */
  kill(): Promise<void>;
  /** Starts it again at the same port. */
  start(): Promise<void>;
}

export interface SshForward extends AsyncDisposable {
  readonly port: number;
}

/** `folder` gets everything of it; `settings` are more lines of sshd_config, which come first. */
export async function startSshServer(folder: string, settings: readonly string[] = []): Promise<SshServer> {
  await mkdir(folder);
  const port = await unusedPort();
  const { username: user } = userInfo();
  const at = (name: string): string => join(folder, name);
  for (const name of ["host-key", "key", "other-key"])
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)]);
  await writeFile(at("authorized_keys"), await readFile(at("key.pub")));
  const [type = "", key = ""] = (await readFile(at("host-key.pub"), "utf8")).split(" ");
  await writeFile(at("known_hosts"), `[127.0.0.1]:${port} ${type} ${key}\n`);
  await writeFile(at("sshd_config"), [...settings, ...sshdSettings(folder, port), ""].join("\n"));
  await writeFile(at("ssh_config"), [...sshSettings(folder, port, user), ""].join("\n"));
  // As root sshd insists on this folder.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  let daemon: ChildProcess | undefined;
  const log = (): Promise<string> => readFile(at("sshd.log"), "utf8").catch(() => "");
  const start = async (): Promise<void> => {
    const child = spawn("/usr/sbin/sshd", ["-D", "-f", at("sshd_config"), "-E", at("sshd.log")]);
    daemon = child;
    await waitFor("sshd to listen", async () => {
      if (child.exitCode !== null) throw new Error(`sshd ended: ${await log()}`);
      return await accepts(port);
    });
  };
  const kill = async (): Promise<void> => {
    if (daemon?.pid !== undefined && daemon.exitCode === null) await endProcesses(processTree(daemon.pid));
    daemon = undefined;
  };
  await start();
  return {
    port,
    user,
    folder,
    configFile: at("ssh_config"),
    forward: (target) => startForward(at("ssh_config"), target),
    logins: async () => (await log()).match(/Accepted publickey for/g)?.length ?? 0,
    log,
    kill,
    start,
    [Symbol.asyncDispose]: kill,
  };
}

async function startForward(configFile: string, target: number): Promise<SshForward> {
  const port = await unusedPort();
  const words = ["-F", configFile, "-N", "-o", "ExitOnForwardFailure=yes"];
  const child = spawn("ssh", [...words, "-L", `127.0.0.1:${port}:127.0.0.1:${target}`, "build"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = once(child, "close");
  await waitFor("ssh to forward", async () => {
    if (child.exitCode !== null) throw new Error(`ssh ended with ${child.exitCode}`);
    return await accepts(port);
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function sshdSettings(folder: string, port: number): string[] {
  return [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${folder}/host-key`,
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    "PidFile none",
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    // Not a second's delay for tests that are turned away.
    "MaxStartups 100",
  ];
}

function sshSettings(folder: string, port: number, user: string): string[] {
  return [
    "Host build 127.0.0.1 localhost",
    "  HostName 127.0.0.1",
    `  Port ${port}`,
    `  User ${user}`,
    `  IdentityFile ${folder}/key`,
    "  IdentitiesOnly yes",
    "  IdentityAgent none",
    `  UserKnownHostsFile ${folder}/known_hosts`,
    "  GlobalKnownHostsFile /dev/null",
  ];
}

export async function accepts(port: number): Promise<boolean> {
  const socket = createConnection(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
