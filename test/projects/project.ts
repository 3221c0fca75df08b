/** A free software project as Debian has it, and how its own build system is called. */
export interface Project {
  readonly name: string;
  /** Debian's source package; its upstream part is built, without Debian's patches. */
  readonly sourcePackage: string;
  /** Programs its build needs besides the compiler. */
  readonly programs: readonly string[];
  /**
   * How homcc comes in: before the compiler's name in `$CC`, as CMake's `$LAUNCHER`, or as a link with the compiler's
   * name that comes first in PATH.
   */
  readonly entry: "prefix" | "launcher" | "masquerade";
  /**
   * Shell commands in the source's folder. `$CC` is the C compiler, `$LAUNCHER` is homcc or nothing, `$JOBS` is the
   * number of jobs at once.
   */
  readonly script: string;
}

/** CMake's own choice of the compiler, which is `/usr/bin/cc` or `/usr/bin/c++`. */
const cmake = (options: string): string =>
  `cmake -S . -B build -DCMAKE_C_COMPILER_LAUNCHER=$LAUNCHER -DCMAKE_CXX_COMPILER_LAUNCHER=$LAUNCHER ${options}`;

/** The smallest: C with a plain Makefile. */
export const lua: Project = {
  name: "lua",
  sourcePackage: "lua5.4",
  programs: ["make", "gcc"],
  entry: "prefix",
  script: 'make -C src -j$JOBS linux-noreadline CC="$CC -std=gnu99" MYCFLAGS=-g',
};

export const projects: readonly Project[] = [
  lua,
  {
    // A plain Makefile with dependency files and an assembler source. It names its folder of objects after a digest of
    // all flags and the compiler's name, which must therefore stay as it is.
    name: "zstd",
    sourcePackage: "libzstd",
    programs: ["make", "gcc", "xz"],
    entry: "masquerade",
    script: "make -C lib -j$JOBS libzstd.a",
  },
  {
    // autoconf and libtool; the parser, the opcodes and sqlite3.h are generated, each source is compiled by itself.
    name: "sqlite",
    sourcePackage: "sqlite3",
    programs: ["make", "gcc", "xz", "tclsh"],
    entry: "prefix",
    script:
      './configure --disable-amalgamation --disable-static --disable-tcl --disable-readline CC="$CC" CFLAGS="-O1 -g" && make -j$JOBS libsqlite3.la',
  },
  {
    // C++ with CMake's default compiler; its headers ask for others with __has_include.
    name: "abseil",
    sourcePackage: "abseil",
    programs: ["cmake", "ninja", "g++"],
    entry: "launcher",
    script: `${cmake("-G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo")} && ninja -C build -j$JOBS str_format_internal time raw_hash_set`,
  },
  {
    // Little but templates, with the other compiler.
    name: "range-v3",
    sourcePackage: "range-v3",
    programs: ["cmake", "ninja", "clang++"],
    entry: "launcher",
    script: `${cmake("-G Ninja -DCMAKE_CXX_COMPILER=clang++ -DRANGE_V3_TESTS=OFF -DRANGE_V3_HEADER_CHECKS=OFF -DRANGE_V3_PERF=OFF -DRANGE_V3_DOCS=OFF")} && ninja -C build -j$JOBS`,
  },
  {
    // Headers that a program of the same build generates.
    name: "flatbuffers",
    sourcePackage: "flatbuffers",
    programs: ["cmake", "make", "g++", "xz"],
    entry: "launcher",
    script: `${cmake("-DCMAKE_BUILD_TYPE=Debug")} && make -C build -j$JOBS flatsampletext flatsamplebinary`,
  },
];
