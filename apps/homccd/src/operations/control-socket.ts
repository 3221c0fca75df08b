import { access, chmod, mkdir, open, rm } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describeError, HomccError } from "@homcc/observability/error";

/*
 * One connection is one request: a line `{"command": …}` from the one who asks, then lines `{"progress": …}` from homccd, and
 * at the end `{"done": …}` or `{"error": …}`. A homccd that ends before it has said one of these has not done it.
 */

/**
 * What an administrator asks a running homccd for. `follow`: is it about to end? Then until it has. `storage`: for whom the store has how
 * much, a `StorageReport`.
 */
export const controlCommands = ["drain", "reload", "follow", "storage"] as const;
export type ControlCommand = (typeof controlCommands)[number];

export interface ControlAnswer {
  readonly progress: (text: string) => void;
}

/** Resolves with the last word; rejects with what is told to the one who asked. */
export type ControlHandler = (command: ControlCommand, answer: ControlAnswer) => Promise<string>;

/** Nobody asks in more. */
const maxRequestBytes = 4096;

/**
 * Listens in a folder of the store that only homccd's account and root may enter: who can connect may do everything. The
 * caller holds the store's lock, so a socket that is there belongs to nobody.
 */
export async function openControlSocket(store: string, handle: ControlHandler): Promise<AsyncDisposable> {
  const folder = join(store, "control");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  await rm(join(folder, "socket"), { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
    void serve(socket, handle);
  });
  const near = await nearby(folder);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(near.path, resolve);
    });
  } finally {
    await near.close();
  }
  return {
    // The file stays: it may be the successor's by now, who has the lock.
    [Symbol.asyncDispose]: async () => {
      // What has just been done is still said.
      await new Promise(setImmediate);
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      for (const socket of sockets) socket.destroySoon();
      await closed;
    },
  };
}

async function serve(socket: Socket, handle: ControlHandler): Promise<void> {
  const say = (line: object): void => {
    if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
  };
  try {
    const command = await requested(socket);
    const done = await handle(command, { progress: (text) => say({ progress: text }) });
    say({ done });
  } catch (error) {
    say({ error: describeError(error) });
  }
  socket.end();
}

async function requested(socket: Socket): Promise<ControlCommand> {
  let text = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.length > maxRequestBytes) break;
    if (!text.includes("\n")) continue;
    const request: unknown = JSON.parse(text);
    const command = controlCommands.find((name) => isRequest(request) && request.command === name);
    if (command !== undefined) return command;
    break;
  }
  throw new HomccError("ERR_HOMCC_USAGE", "a request that this homccd does not know", {
    hint: "is the program of another version than the one that runs?",
  });
}

function isRequest(value: unknown): value is { readonly command: unknown } {
  return typeof value === "object" && value !== null && "command" in value;
}

/** Asks the homccd of a store; its progress goes to `onProgress`. Rejects with what to do when none is there or it says no. */
export async function askHomccd(
  store: string,
  command: ControlCommand,
  onProgress: (text: string) => void,
): Promise<string> {
  const socket = await connected(store);
  socket.write(`${JSON.stringify({ command })}\n`);
  for await (const line of createInterface({ input: socket })) {
    const answer: { progress?: string; done?: string; error?: string } = JSON.parse(line);
    if (answer.progress !== undefined) onProgress(answer.progress);
    if (answer.done !== undefined) return answer.done;
    if (answer.error !== undefined) throw new HomccError("ERR_HOMCC_CONFIGURATION", answer.error);
  }
  throw new HomccError("ERR_HOMCC_UNAVAILABLE", `the homccd of ${store} ended before it answered`);
}

/** Whether a homccd has opened one for this store, be it gone or not; false where that may not be seen. */
export async function hasControlSocket(store: string): Promise<boolean> {
  return await access(join(store, "control")).then(
    () => true,
    () => false,
  );
}

async function connected(store: string): Promise<Socket> {
  try {
    const near = await nearby(join(store, "control"));
    try {
      return await new Promise<Socket>((resolve, reject) => {
        const socket = createConnection(near.path);
        socket.once("error", reject).once("connect", () => {
          socket.on("error", () => {});
          resolve(socket);
        });
      });
    } finally {
      await near.close();
    }
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EACCES" || code === "EPERM") {
      throw new HomccError(
        "ERR_HOMCC_UNAVAILABLE",
        `the homccd of ${store} may only be told so by its account`,
        {
          hint: "run this as root, or as the account that homccd runs as",
          cause,
        },
      );
    }
    throw new HomccError("ERR_HOMCC_UNAVAILABLE", `no homccd runs with the store ${store}`, {
      hint: "name the store of the one you mean with --store",
      cause,
    });
  }
}

/** The socket's address has 107 bytes at most, whatever the store's path has. */
async function nearby(folder: string): Promise<{ readonly path: string; close(): Promise<void> }> {
  const handle = await open(folder, "r");
  return { path: `/proc/self/fd/${handle.fd}/socket`, close: () => handle.close() };
}
