/**
 * Eight laptops behind one server, each with its own files at the same paths: every one gets its own objects, and what one
 * knows of the server stays true while the others work.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { RunningCommand } from "../support/command.ts";
import { writeFiles } from "../support/files.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { homccProgram } from "../support/repository.ts";
import { startServer } from "../support/server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

const laptops = 8;
const sources = ["a", "b", "c", "d"];

/** Says so when the laptop's folder is at the common path; the mount lasts as long as this process. */
const holdTree = 'mount --bind "$1" "$2" && echo mounted >"$1/mounted" && exec sleep 600';
const compileAll = 'cd "$1"; shift; for name; do $COMPILER -c "$name.c" -o "$PREFIX$name.o" || exit; done';

class Laptop implements AsyncDisposable {
  readonly #workplace: Workplace;
  readonly #tree: string;
  /** Lives in a mount namespace of its own. */
  readonly #holder: RunningCommand;

  private constructor(workplace: Workplace, tree: string) {
    this.#workplace = workplace;
    this.#tree = tree;
    this.#holder = workplace.start(
      ["unshare", "--mount", "sh", "-c", holdTree, "sh", workplace.project, tree],
      {
        timeoutMs: 600_000,
      },
    );
  }

  static async create(number: number, hosts: string, tree: string): Promise<Laptop> {
    const workplace = await createWorkplace({ hosts });
    const laptop = new Laptop(workplace, tree);
    await waitFor("the laptop's folder", () => existsSync(join(workplace.project, "mounted")));
    await laptop.write("who.h", number);
    const text = (name: string): string => `#include "who.h"\nint ${name}(void) { return WHO; }\n`;
    await writeFiles(workplace.project, Object.fromEntries(sources.map((name) => [`${name}.c`, text(name)])));
    return laptop;
  }

  /** No two laptops have the same bytes, so that nothing of one is of use to another. */
  async write(header: string, number: number): Promise<void> {
    const padding = randomBytes(3000).toString("hex");
    await writeFiles(this.#workplace.project, { [header]: `/* ${padding} */\n#define WHO ${number}\n` });
  }

  /** All sources through homcc. Gives what each job sent. */
  async build(jobsBefore: number): Promise<number[]> {
    await this.#compile(`${homccProgram} gcc -g`, "");
    const jobs = (await this.#workplace.jobs(jobsBefore + sources.length)).slice(jobsBefore);
    assert.deepEqual(
      jobs.map(({ outcome }) => outcome),
      sources.map(() => "compiled-remotely"),
    );
    await this.#compile("gcc -g", "plain-");
    for (const name of sources) {
      const [remote, plain] = await Promise.all([this.#read(`${name}.o`), this.#read(`plain-${name}.o`)]);
      assert.ok(remote.equals(plain), `${name}.o`);
    }
    return jobs.map(({ sentBytes }) => sentBytes);
  }

  async #compile(compiler: string, prefix: string): Promise<void> {
    const environment = this.#workplace.environment({ COMPILER: compiler, PREFIX: prefix });
    const { status, stderr } = await this.#workplace.run(
      [
        "nsenter",
        `--mount=/proc/${this.#holder.pid}/ns/mnt`,
        "sh",
        "-c",
        compileAll,
        "sh",
        this.#tree,
        ...sources,
      ],
      { environment },
    );
    assert.equal(status, 0, stderr);
  }

  #read(name: string): Promise<Buffer> {
    return readFile(join(this.#workplace.project, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.finished;
    await this.#workplace[Symbol.asyncDispose]();
  }
}

test("eight laptops with other files at the same paths do not disturb one another", async () => {
  const tree = await mkdtemp(join(tmpdir(), "homcc-test-tree-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => removeFolder(tree));
  const server = await startServer({ limit: 4 });
  stack.defer(() => server.stop());
  const all = await Promise.all(
    Array.from({ length: laptops }, async (_, n) => stack.use(await Laptop.create(n, server.address, tree))),
  );
  await Promise.all(all.map((laptop) => laptop.build(0)));
  const warm = await Promise.all(all.map((laptop) => laptop.build(sources.length)));
  assert.ok(Math.max(...warm.flat()) <= 300, JSON.stringify(warm));
  const [first] = all;
  await first?.write("who.h", 77);
  const [own, ...others] = await Promise.all(all.map((laptop) => laptop.build(2 * sources.length)));
  assert.ok(Math.max(...(own ?? [])) > 3000, "the new header went along");
  assert.ok(Math.max(...others.flat()) <= 300, JSON.stringify(others));
});
