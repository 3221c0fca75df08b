import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "./scratch.ts";

/** The licence of homcc's own files, and what the packages bring along besides. */
export async function renderCopyright(where: string): Promise<string> {
  const own = await readFile(join(repository, "LICENSE"), "utf8");
  return `${own}\n${linkedLibraries}\ndist/node is Node.js, under licences of its own: ${where}.\n`;
}

/** Licences of everything that comes along and is not homcc's, with their whole text. */
export async function renderThirdPartyLicences(): Promise<string> {
  const node = await readFile(join(repository, `node_modules/node-linux-${process.arch}/LICENSE`), "utf8");
  return [
    heading("The GNU C Library, in bin/homcc and dist/runner"),
    linkedLibraries,
    heading("Node.js, dist/node, and the libraries in it"),
    node,
  ].join("\n");
}

function heading(title: string): string {
  return `${title}\n${"=".repeat(title.length)}\n`;
}

const linkedLibraries = `The C programs (bin/homcc, dist/runner) are linked with the GNU C Library, Copyright (C) 1991 and later the Free Software
Foundation, Inc. and others, under the GNU Lesser General Public License, version 2.1 or later; on Debian systems its text is
/usr/share/common-licenses/LGPL-2.1, and everywhere https://www.gnu.org/licenses/old-licenses/lgpl-2.1.html. Whoever wants
them linked with another version has their whole source in native/: cc -O2 -static native/launcher.c -o bin/homcc, and
cc -O2 -static native/runner.c native/door.c native/confine.c native/watch.c -o dist/runner. Parts of the GCC runtime library in them are under the GNU General Public
License with the GCC Runtime Library Exception.
`;
