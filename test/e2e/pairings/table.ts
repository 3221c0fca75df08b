/**
 * What has to work between every client and every server that homcc has had. A cell is a pairing and a row; it is tested,
 * or there is a reason why it cannot exist.
 */
export const pairings = [
  "our client, our server",
  "1.x client, our server",
  "our client, 1.x server",
  /** Through our codec, which writes everything anew. */
  "1.x client, 1.x server",
] as const;
export type PairingName = (typeof pairings)[number];

export const compressions = ["no compression", "lzo", "lzma"] as const;
export type CompressionName = (typeof compressions)[number];

export const compilers = ["gcc", "clang"] as const;
export type CompilerName = (typeof compilers)[number];

/** `$PWD` is the project's folder; `sources` are compiled by the server, and each output is compared. */
export const builds = {
  object: {
    words: ["-g", "-Iinclude", "-c", "$PWD/src/one.c", "-o", "one.o"],
    sources: ["src/one.c"],
    outputs: ["one.o"],
  },
  "several sources, linked": {
    words: ["-Iinclude", "$PWD/src/one.c", "$PWD/src/two.c", "-o", "app"],
    sources: ["src/one.c", "src/two.c"],
    outputs: ["app"],
  },
  fission: {
    words: ["-g", "-gsplit-dwarf", "-Iinclude", "-c", "$PWD/src/one.c", "-o", "one.o"],
    sources: ["src/one.c"],
    outputs: ["one.o", "one.dwo"],
  },
  "-MD": {
    words: ["-MD", "-MF", "one.dep", "-Iinclude", "-c", "$PWD/src/one.c", "-o", "one.o"],
    sources: ["src/one.c"],
    outputs: ["one.o", "one.dep"],
  },
  "-MMD": {
    words: ["-MMD", "-Iinclude", "-c", "$PWD/src/one.c", "-o", "one.o"],
    sources: ["src/one.c"],
    outputs: ["one.o", "one.d"],
  },
} as const satisfies Readonly<Record<string, Build>>;

export interface Build {
  readonly words: readonly string[];
  readonly sources: readonly string[];
  readonly outputs: readonly string[];
}

export type BuildName = keyof typeof builds;

/** Where the compiler runs, and how the client gets there. */
export const places = ["schroot", "docker", "ssh"] as const;
export type PlaceName = (typeof places)[number];

export type Row =
  | {
      readonly kind: "build";
      readonly build: BuildName;
      readonly compiler: CompilerName;
      readonly compression: CompressionName;
      /** Without it: the server's own compiler, over a plain connection. */
      readonly place?: PlaceName;
    }
  | { readonly kind: "refusal at the limit" };

const buildNames: readonly BuildName[] = ["object", "several sources, linked", "fission", "-MD", "-MMD"];

/** A sandbox or ssh is another way to the same build: one of them tells whether it works. */
const roads: readonly (readonly [BuildName, PlaceName | undefined])[] = [
  ...buildNames.map((build) => [build, undefined] as const),
  ...places.map((place) => ["object", place] as const),
];

export const rows: readonly Row[] = [
  ...roads.flatMap(([build, place]) =>
    compilers.flatMap((compiler) =>
      compressions.map((compression): Row => {
        const row = { kind: "build", build, compiler, compression } as const;
        return place === undefined ? row : { ...row, place };
      }),
    ),
  ),
  { kind: "refusal at the limit" },
];

export function nameOf(row: Row): string {
  if (row.kind !== "build") return row.kind;
  const { build, compiler, compression, place } = row;
  return `${place ?? build}: ${compiler}, ${compression}`;
}

/** Why there is no such cell. */
export function whyNot(pairing: PairingName, row: Row): string | undefined {
  if (row.kind !== "build") return undefined;
  if (row.build === "-MMD" && pairing.startsWith("1.x client")) return "homcc 1.x clients compile it at home";
  if (row.compiler === "clang" && (row.place === "schroot" || row.place === "docker"))
    return "the sandboxes of the tests have gcc only";
  return undefined;
}
