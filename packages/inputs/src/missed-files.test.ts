import assert from "node:assert/strict";
import { test } from "node:test";
import { Project } from "./discovery.fixture.ts";
import { missedFiles } from "./missed-files.ts";

test("files are known again however they are spelled", (t) => {
  const project = new Project(t);
  project.write("real/sub/a.h");
  project.write("real/b.h");
  project.link("folder", "real/sub");
  project.link("c.h", "real/b.h");
  const found = [project.at("real/sub/a.h"), project.at("real/b.h")];
  const spellings = [
    "folder/a.h",
    "./real//sub/a.h",
    // Through the link this is real/b.h.
    "folder/../b.h",
    "c.h",
    project.at("real/b.h"),
  ];
  assert.deepEqual(missedFiles(spellings, found, project.folder), []);
  assert.deepEqual(missedFiles(spellings, [], project.folder), found.toSorted());
});

test("only files that exist are missed, each once and by its real path", (t) => {
  const project = new Project(t);
  project.write("a.h");
  project.makeFolder("folder");
  project.link("b.h", "a.h");
  const listed = ["b.h", "a.h", "none.h", "none/none.h", "folder"];
  assert.deepEqual(missedFiles(listed, [], project.folder), [project.at("a.h")]);
});

test("a name that only looks like one that was found is missed", (t) => {
  const project = new Project(t);
  project.write("real/sub/x.h");
  project.write("real/b.h");
  project.write("b.h");
  project.link("folder", "real/sub");
  assert.deepEqual(missedFiles(["folder/../b.h"], [project.at("b.h")], project.folder), [
    project.at("real/b.h"),
  ]);
});
