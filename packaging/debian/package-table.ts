import type { ProgramName } from "../program-tree.ts";

/** What dpkg is told about a package. */
export interface DebianPackage {
  readonly name: ProgramName;
  readonly section: string;
  readonly synopsis: string;
  readonly description: readonly string[];
  /** Beyond the libraries of Node. */
  readonly depends: readonly string[];
  readonly recommends: readonly string[];
  readonly suggests: readonly string[];
}

/** Node 24 was linked against these; Debian 10 and Ubuntu 20.04 have them. A test reads the symbols that it needs. */
export const nodeLibraries = ["libc6 (>= 2.28)", "libgcc-s1 | libgcc1 (>= 1:3.4)", "libstdc++6 (>= 9)"];

export const debianPackages: readonly DebianPackage[] = [
  {
    name: "homcc",
    section: "devel",
    synopsis: "distributed C and C++ compiler for people who work from home",
    description: [
      "homcc stands in front of gcc or clang and compiles on build servers that may be far away, at the other end of a home uplink. The result is the one of a local build, byte for byte; headers travel once, compressed; and whatever cannot be compiled on a server is compiled at home.",
      "This package has the client. It works without configuration of its own: it needs the names of servers, which run homccd.",
    ],
    depends: [],
    recommends: [],
    suggests: ["ccache", "homccd", "openssh-client", "xz-utils"],
  },
  {
    name: "homccd",
    section: "devel",
    synopsis: "build server for homcc, the distributed C and C++ compiler",
    description: [
      "homccd receives sources and headers from homcc clients, compiles them in a sandbox in which the client's paths exist, and sends the objects back. What it received is kept, so that nothing is sent twice.",
      "It serves private and VPN addresses alone and has no encryption of its own: use it inside a VPN or a trusted network.",
    ],
    depends: ["adduser", "init-system-helpers (>= 1.54)"],
    recommends: ["g++ | clang"],
    suggests: ["homcc", "docker.io", "schroot", "xz-utils"],
  },
];
