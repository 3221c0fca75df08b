import assert from "node:assert/strict";
import { test } from "node:test";
import { Project } from "./discovery.fixture.ts";
import { PathWalk, structureEntries } from "./path-walk.ts";

test("everything looked at is collected by real path", (t) => {
  const project = new Project(t);
  project.write("real/x.h");
  project.makeFolder("empty");
  project.link("link", "real");
  const walk = new PathWalk(project.folder);
  assert.equal(walk.look(walk.spell("link/../link/x.h")).path, project.at("real/x.h"));
  assert.equal(walk.look(walk.spell("none/deep/y.h")).kind, "absent");
  assert.equal(walk.look(walk.spell("none/other.h")).kind, "absent");
  assert.equal(walk.look(walk.spell("real/x.h/y")).kind, "blocked");
  assert.equal(walk.lookAtFolder(walk.spell("empty")).kind, "directory");
  assert.deepEqual([...walk.files.keys()], [project.at("real/x.h")]);
  assert.deepEqual(walk.absent(), [{ folder: project.folder, names: ["none"] }]);
  assert.deepEqual(structureEntries(walk.links, walk.directories()), [
    { kind: "directory", path: project.at("empty") },
    { kind: "directory", path: project.at("real") },
    { kind: "symlink", path: project.at("link"), target: "real" },
  ]);
});

test("resolving without looking has no consequence", (t) => {
  const project = new Project(t);
  project.write("x.h");
  const walk = new PathWalk(project.folder);
  assert.equal(walk.resolve(walk.spell("x.h")).kind, "file");
  assert.equal(walk.resolve(walk.spell("y.h")).kind, "absent");
  assert.deepEqual([walk.files.size, walk.absent().length], [0, 0]);
});
