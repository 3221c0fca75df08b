import { RegisteredFolders } from "./registered-folders.ts";

/** What `homccd toolchain …` asks for. */
export type ToolchainCommand =
  | { readonly kind: "list" }
  | { readonly kind: "add" | "remove"; readonly path: string };

/** `undefined` when the words behind `toolchain` are none. */
export function parseToolchainCommand(words: readonly string[]): ToolchainCommand | undefined {
  const [verb, path, unexpected] = words;
  if (unexpected !== undefined) return undefined;
  if (verb === "list") return path === undefined ? { kind: "list" } : undefined;
  if ((verb === "add" || verb === "remove") && path !== undefined && path !== "") return { kind: verb, path };
  return undefined;
}

/** Does it to the list in `store`, which a homccd that runs reads anew. Gives what is printed; rejects with ERR_HOMCC_CONFIGURATION. */
export async function runToolchainCommand(
  command: ToolchainCommand,
  store: string,
  cwd: string,
): Promise<string> {
  const folders = new RegisteredFolders(store);
  if (command.kind === "list") return (await folders.list()).map((folder) => `${folder}\n`).join("");
  return command.kind === "add"
    ? `toolchains of clients are looked for in ${await folders.add(command.path, cwd)}\n`
    : `${await folders.remove(command.path, cwd)} is not looked at any more\n`;
}
