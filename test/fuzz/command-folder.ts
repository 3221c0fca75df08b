import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { otherFiles, sources } from "./command-words.ts";

const texts: Readonly<Record<string, string>> = {
  "f.s": ".nop\n",
  "force.h": "#define FORCED 1\n",
  "inc/x.h": "#define X_H 1\n",
};

/** A folder with all files that generated commands name, and nothing else at the beginning of each try. */
export class CommandFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), "homcc-fuzz-"));
  #files = 0;

  constructor() {
    this.reset();
  }

  reset(): void {
    for (const name of readdirSync(this.path))
      rmSync(join(this.path, name), { recursive: true, force: true });
    for (const name of [...sources, ...otherFiles]) {
      const path = join(this.path, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, texts[name] ?? "int x;\n");
    }
  }

  /** The command of an input, one word a line; `@=TEXT` becomes a file with that text. */
  argvOf(input: Buffer): string[] {
    return input
      .toString("latin1")
      .split("\n")
      .map((word) => (word.startsWith("@=") ? `@${this.#writeWords(word.slice(2))}` : word));
  }

  close(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** A vertical tab stands for a line's end. */
  #writeWords(text: string): string {
    const name = `words${this.#files++ % 10}`;
    writeFileSync(join(this.path, name), text.replaceAll("\v", "\n"), "latin1");
    return name;
  }
}
