/** What travels when little has changed: bytes by the agent's own counters, objects against the plain compiler's. */
import assert from "node:assert/strict";
import { link, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import { startThinLink, type ThinLink } from "../../benchmarks/link/thin-link-process.ts";
import { agentsOf, type ProcessInfo } from "../support/processes.ts";
import { homccProgram } from "../support/repository.ts";
import { startServer, type Server } from "../support/server.ts";
import { waitFor } from "../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

/** A header of 200 kB with an inline function that every source uses. */
function headerText(line: string): string {
  const declarations = Array.from(
    { length: 4400 },
    (_, index) => `int function_${(index * 7919) % 4409}(long value_${index});`,
  );
  declarations[2000] = line;
  return `#pragma once\n#include <vector>\n${declarations.join("\n")}\n`;
}

const sources = ["a", "b", "c"] as const;

/** A project of three C++ sources with a large header, and a server for it. */
class Project implements AsyncDisposable {
  readonly workplace: Workplace;
  readonly server: Server;
  readonly #link: ThinLink;
  readonly #variables: Readonly<Record<string, string>>;
  #jobs = 0;

  private constructor(
    workplace: Workplace,
    server: Server,
    link: ThinLink,
    variables: Readonly<Record<string, string>>,
  ) {
    this.workplace = workplace;
    this.server = server;
    this.#link = link;
    this.#variables = variables;
  }

  /** `variables`: of every compile. */
  static async create(variables: Readonly<Record<string, string>> = {}): Promise<Project> {
    const server = await startServer();
    // On a LAN some of this would not be worth its time.
    const link = await startThinLink(server.address, { upMegabits: 20, downMegabits: 50, roundTripMs: 20 });
    const workplace = await createWorkplace({ hosts: `127.0.0.1:${link.port}` });
    const project = new Project(workplace, server, link, variables);
    await project.write("large.h", headerText(firstLine));
    for (const name of sources) {
      await project.write(
        `${name}.cpp`,
        `#include "large.h"\n#include <string>\nstd::string ${name}_text;\n` +
          `int ${name}(std::vector<long>& v) { ${name}_text += "${name}"; return used(v); }\n`,
      );
    }
    return project;
  }

  path(name: string): string {
    return join(this.workplace.project, name);
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(this.path(name), text);
  }

  /** Compiles one source remotely and gives what its job cost. */
  async compile(name: string, ...more: string[]): Promise<JobRecord> {
    const environment = this.workplace.environment(this.#variables);
    const result = await this.workplace.run([homccProgram, ...compileCommand(name), ...more], {
      environment,
    });
    assert.equal(result.status, 0, result.stderr);
    this.#jobs += 1;
    const record = (await this.workplace.jobs(this.#jobs)).at(-1);
    assert.ok(record?.outcome === "compiled-remotely", JSON.stringify(record));
    return record;
  }

  /** The next compile starts another one. */
  async endAgent(): Promise<void> {
    const agents = (): ProcessInfo[] => agentsOf(this.workplace.homccFolder);
    assert.equal(agents().length, 1);
    for (const { pid } of agents()) process.kill(pid, "SIGTERM");
    await waitFor("the agent to end", () => agents().length === 0);
  }

  /** The object there is against a plain compiler's, which is made beside it. */
  async assertSameObject(name: string): Promise<void> {
    const { status } = await this.workplace.run(compileCommand(name, "plain.o"));
    assert.equal(status, 0);
    const [remote, plain] = await Promise.all([
      readFile(this.path(`${name}.o`)),
      readFile(this.path("plain.o")),
    ]);
    assert.ok(remote.equals(plain), `${name}.o`);
  }

  /** Every blob the server has, for a test that spoils them. */
  async blobs(): Promise<string[]> {
    const folder = join(this.server.storeFolder, "blobs/blobs");
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    return files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workplace[Symbol.asyncDispose]();
    await this.#link[Symbol.asyncDispose]();
    await this.server.stop();
  }
}

function compileCommand(name: string, object = `${name}.o`): string[] {
  return ["g++", "-O0", "-g", "-c", `${name}.cpp`, "-o", object];
}

const firstLine = "inline int used(std::vector<long>& v) { v.push_back(1); return 1; }";
const otherLine = "inline int used(std::vector<long>& v) { v.push_back(2); return 1; }";

test("a job that changes nothing takes at most 300 bytes up and 150 down, and its output is a new file", async () => {
  await using project = await Project.create();
  for (const name of sources) await project.compile(name);
  await link(project.path("b.o"), project.path("linked.o"));
  const linked = await stat(project.path("linked.o"));
  for (const name of sources) {
    const before = await stat(project.path(`${name}.o`), { bigint: true });
    const { sentBytes, receivedBytes } = await project.compile(name);
    // A file that was linked since is another for the agent: it is told by the latest object instead.
    if (name !== "b")
      assert.ok(sentBytes <= 300 && receivedBytes <= 150, `${name}: ${sentBytes}, ${receivedBytes}`);
    const after = await stat(project.path(`${name}.o`), { bigint: true });
    assert.ok(after.mtimeNs > before.mtimeNs && after.ino !== before.ino, name);
    await project.assertSameObject(name);
  }
  const left = await stat(project.path("linked.o"));
  assert.deepEqual([left.ino, left.mtimeMs, left.nlink], [linked.ino, linked.mtimeMs, 1]);
});

test("one edited line of a header of 200 kB takes at most 300 bytes up, and a twentieth of the object down", async () => {
  await using project = await Project.create();
  let wholeBytes = 0;
  for (const name of sources) {
    const { receivedBytes } = await project.compile(name);
    wholeBytes = Math.max(wholeBytes, receivedBytes);
  }
  for (const line of [otherLine, firstLine, `${otherLine} // a comment`]) {
    await project.write("large.h", headerText(line));
    for (const name of sources) {
      const { sentBytes, receivedBytes } = await project.compile(name);
      assert.ok(sentBytes <= 300, `${name}: ${sentBytes}`);
      assert.ok(receivedBytes < wholeBytes / 20, `${name}: ${receivedBytes} of ${wholeBytes}`);
      await project.assertSameObject(name);
    }
  }
});

test("the first edit under another agent, of a file that somebody else sent, takes no more", async () => {
  await using project = await Project.create();
  for (const name of sources) await project.compile(name);
  await project.endAgent();
  const unchanged = await project.compile("a");
  // The first messages of a connection have none before them, and one asks for a proof of five files.
  assert.ok(unchanged.receivedBytes <= 600, `${unchanged.receivedBytes}`);
  await project.write("large.h", headerText(otherLine));
  const { sentBytes } = await project.compile("a");
  assert.ok(sentBytes <= 300, `${sentBytes}`);
  await project.assertSameObject("a");
});

test("an object that is new, or gone from home, is told by the latest of its kind", async () => {
  await using project = await Project.create();
  const costs: number[] = [];
  for (const name of sources) costs.push((await project.compile(name)).receivedBytes);
  const [wholeBytes = 0, ...like] = costs;
  for (const receivedBytes of like) assert.ok(receivedBytes < wholeBytes / 4, String(costs));
  for (const name of sources) await rm(project.path(`${name}.o`));
  for (const name of sources) {
    await project.compile(name);
    await project.assertSameObject(name);
  }
});

test("an object that is gone from home is told by the one before, which the agent has kept; by the next agent, too", async () => {
  await using project = await Project.create({ HOMCC_CLIENT_CACHE_SIZE: "64M" });
  const index = join(project.workplace.homccFolder, "agent/results/index");
  let results = 0;
  const compile = async (line: string): Promise<number> => {
    await project.write("large.h", headerText(line));
    const { receivedBytes } = await project.compile("a");
    await project.assertSameObject("a");
    results += 1;
    await waitFor("the result to be kept", async () => {
      const text = await readFile(index, "utf8").catch(() => "");
      return text.split("\n").length - 1 >= results || undefined;
    });
    return receivedBytes;
  };
  const editedLine = (value: number): string => firstLine.replace("1)", `${value})`);
  const wholeBytes = await compile(firstLine);
  const withObjectBytes = await compile(editedLine(2));
  assert.ok(withObjectBytes < wholeBytes / 50, `${withObjectBytes} of ${wholeBytes}`);
  await rm(project.path("a.o"));
  const goneBytes = await compile(editedLine(3));
  // What the frames around the delta take differs a little.
  const enoughBytes = withObjectBytes + 200;
  assert.ok(goneBytes < enoughBytes, `${goneBytes}, with the object ${withObjectBytes}`);
  await writeFile(project.path("a.o"), "of another compiler");
  const anotherBytes = await compile(editedLine(4));
  assert.ok(anotherBytes < enoughBytes, `${anotherBytes}, with the object ${withObjectBytes}`);
  await rm(project.path("a.o"));
  await project.endAgent();
  // The connection's first messages, and the proof of five files.
  const nextAgentBytes = await compile(editedLine(5));
  assert.ok(nextAgentBytes < enoughBytes + 450, `${nextAgentBytes}`);
});

test("a kept object that was damaged is noticed", async () => {
  await using project = await Project.create({ HOMCC_CLIENT_CACHE_SIZE: "64M" });
  const kept = join(project.workplace.homccFolder, "agent/results/blobs/blobs");
  await project.compile("a");
  const blobs = async (): Promise<string[]> => {
    const files = await readdir(kept, { recursive: true, withFileTypes: true }).catch(() => []);
    return files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  };
  // The object and the entry that names it.
  await waitFor("the result to be kept", async () => (await blobs()).length >= 2 || undefined);
  for (const blob of await blobs()) await writeFile(blob, (await readFile(blob)).fill(0x41, 10, 20));
  await rm(project.path("a.o"));
  await project.write("large.h", headerText(otherLine));
  await project.compile("a");
  await project.assertSameObject("a");
});

test("a server that has lost everything it was sent and made gets sources and gives objects whole", async () => {
  await using project = await Project.create();
  await project.compile("a");
  for (const blob of await project.blobs()) await rm(blob);
  await project.write("large.h", headerText(otherLine));
  const { sentBytes, receivedBytes } = await project.compile("a");
  assert.ok(sentBytes > 10_000 && receivedBytes > 10_000, `${sentBytes}, ${receivedBytes}`);
  await project.assertSameObject("a");
});

test("damaged blobs at the server are noticed", async () => {
  await using project = await Project.create();
  await project.compile("a");
  for (const blob of await project.blobs()) {
    const bytes = await readFile(blob);
    if (bytes.byteLength > 1000) await writeFile(blob, bytes.fill(0x41, 500, 600));
  }
  await project.write("large.h", headerText(otherLine));
  await project.compile("a");
  await project.assertSameObject("a");
});

test("objects that others write into, replace and race for at home are right in the end", async () => {
  await using project = await Project.create();
  await project.compile("a");
  // Same size and time, other contents: only the digest of the result can tell.
  const { size, atime, mtime } = await stat(project.path("a.o"));
  await writeFile(project.path("a.o"), Buffer.alloc(size, "x"));
  await utimes(project.path("a.o"), atime, mtime);
  await project.compile("a");
  await project.assertSameObject("a");
  const words = [homccProgram, ...compileCommand("a")];
  for (let round = 0; round < 3; round++) {
    await project.write("large.h", headerText(round % 2 === 0 ? otherLine : firstLine));
    const racing = [0, 1, 2].map(() => project.workplace.run(words));
    const object = await readFile(project.path("a.o"));
    await writeFile(project.path("a.o"), Buffer.concat([object.subarray(100), object.subarray(0, 100)]));
    for (const { status, stderr } of await Promise.all(racing)) assert.equal(status, 0, stderr);
    await project.assertSameObject("a");
  }
  const left = (await readdir(project.workplace.project)).filter((name) => name.startsWith("."));
  assert.deepEqual(left, []);
});
