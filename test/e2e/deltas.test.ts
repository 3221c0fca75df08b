/** What travels when little has changed: bytes by the agent's own counters, objects against the plain compiler's. */
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import { homccProgram } from "../support/repository.ts";
import { startServer, type Server } from "../support/server.ts";
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
  #jobs = 0;

  private constructor(workplace: Workplace, server: Server) {
    this.workplace = workplace;
    this.server = server;
  }

  static async create(): Promise<Project> {
    const server = await startServer();
    const workplace = await createWorkplace({ hosts: server.address });
    const project = new Project(workplace, server);
    await project.write("large.h", headerText(firstLine));
    for (const name of sources) {
      await project.write(
        `${name}.cpp`,
        `#include "large.h"\n#include <map>\n#include <string>\nstd::map<std::string, long> ${name}_map;\n` +
          `int ${name}(std::vector<long>& v) { ${name}_map["${name}"] = v.size(); return used(v); }\n`,
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
    const result = await this.workplace.run([homccProgram, ...compileCommand(name), ...more]);
    assert.equal(result.status, 0, result.stderr);
    this.#jobs += 1;
    const record = (await this.workplace.jobs(this.#jobs)).at(-1);
    assert.ok(record?.outcome === "compiled-remotely", JSON.stringify(record));
    return record;
  }

  /** The object there is against a plain compiler's. */
  async assertSameObject(name: string): Promise<void> {
    const remote = await readFile(this.path(`${name}.o`));
    await this.workplace.run([...compileCommand(name)]);
    const local = await readFile(this.path(`${name}.o`));
    assert.ok(remote.equals(local), `${name}.o`);
    // As it was: the agent may have remembered the file.
    await rm(this.path(`${name}.o`));
    await writeFile(this.path(`${name}.o`), remote);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workplace[Symbol.asyncDispose]();
    await this.server.stop();
  }
}

function compileCommand(name: string): string[] {
  return ["g++", "-O1", "-g", "-c", `${name}.cpp`, "-o", `${name}.o`];
}

const firstLine = "inline int used(std::vector<long>& v) { v.push_back(1); return 1; }";
const otherLine = "inline int used(std::vector<long>& v) { v.push_back(2); return 1; }";

test("a warm job takes at most 300 bytes up", async () => {
  await using project = await Project.create();
  for (const name of sources) await project.compile(name);
  for (const name of sources) {
    const { sentBytes } = await project.compile(name);
    assert.ok(sentBytes <= 300, `${name}: ${sentBytes}`);
  }
});

test("one edited line of a header of 200 kB takes at most 300 bytes up, there and back", async () => {
  await using project = await Project.create();
  for (const name of sources) await project.compile(name);
  for (const line of [otherLine, firstLine, `${otherLine} // again`]) {
    await project.write("large.h", headerText(line));
    for (const name of sources) {
      const { sentBytes } = await project.compile(name);
      assert.ok(sentBytes <= 300, `${name}: ${sentBytes}`);
      await project.assertSameObject(name);
    }
  }
});

test("a server that has lost what it was sent gets it whole", async () => {
  await using project = await Project.create();
  await project.compile("a");
  for (const file of await readdir(join(project.server.storeFolder, "blobs/blobs"), {
    recursive: true,
    withFileTypes: true,
  })) {
    if (file.isFile()) await rm(join(file.parentPath, file.name));
  }
  await project.write("large.h", headerText(otherLine));
  const { sentBytes } = await project.compile("a");
  assert.ok(sentBytes > 10_000, `${sentBytes}`);
  await project.assertSameObject("a");
});
