import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { baseHeader, containerHeader, ledgerHeader } from "./header-texts.ts";
import { heavyMethod, type MethodText, ordinaryMethods, plainMethods } from "./method-texts.ts";
import { capitalised, Words } from "./words.ts";

/**
 * A C++17 library that nobody wrote: headers in four layers, each using some of those below, and sources that read 100
 * to 200 headers each, most of them the standard library's. The same text on each machine. Objects and compile times are
 * like abseil's, in number, size and spread: most sources are short, one in three has templates in its object, and one in
 * sixteen keeps the optimiser busy.
 */
export interface GeneratedProject {
  readonly root: string;
  /** Absolute, in the order in which they are compiled. */
  readonly sources: readonly string[];
  /** Compiler and options. */
  readonly compiler: readonly string[];
}

export const sourceCount = 159;
/** Every source reads it, every class has a member of its type, and calls its inline function. */
export const centralHeader = "include/quarry/base/ledger.h";
const counts = { base: 24, container: 26, domain: 44, service: 46 };

/** Writes the first `limit` sources and all headers below `root`. */
export async function generateProject(root: string, limit: number = sourceCount): Promise<GeneratedProject> {
  const files = projectFiles();
  const wanted = [...files].filter(([path]) => path.endsWith(".h"));
  const sources = [...files].filter(([path]) => path.endsWith(".cpp")).slice(0, limit);
  for (const [path, text] of [...wanted, ...sources]) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  await chmod(root, 0o755);
  return {
    root,
    sources: sources.map(([path]) => join(root, path)),
    compiler: ["g++", "-std=c++17", "-O2", "-g", "-Wall", `-I${join(root, "include")}`],
  };
}

/** Path below the root to text: headers first, then sources. */
export function projectFiles(): Map<string, string> {
  const layout = new Words("quarry");
  const names = distinctNames(
    layout,
    counts.base + counts.container + counts.domain + counts.service + sourceCount,
  );
  const take = (count: number): string[] => names.splice(0, count);
  const files = new Map<string, string>([[centralHeader, ledgerHeader()]]);
  const base = take(counts.base);
  for (const name of base) files.set(`include/quarry/base/${name}.h`, baseHeader(name, new Words(name)));
  const containers = take(counts.container);
  for (const name of containers) {
    const includes = includesOf("base", layout.someOf(base, 3));
    files.set(`include/quarry/container/${name}.h`, containerHeader(name, includes, new Words(name)));
  }
  const layers: Layers = { base, containers, classes: [] };
  const domain = take(counts.domain).map((name) => createClass("domain", name, layers));
  const service = take(counts.service).map((name) => createClass("service", name, layers));
  const tools = take(sourceCount - counts.domain - counts.service).map((name) =>
    createClass("tool", name, layers),
  );
  for (const { headerPath, header } of [...domain, ...service]) files.set(headerPath, header);
  const all = [...domain, ...service, ...tools];
  // A build system compiles by folder and name, not the slow ones first.
  for (const { sourcePath, source } of all.toSorted((a, b) => (a.sourcePath < b.sourcePath ? -1 : 1)))
    files.set(sourcePath, source);
  return files;
}

interface Layers {
  readonly base: readonly string[];
  readonly containers: readonly string[];
  /** Classes that may be used, as far as there are any. */
  readonly classes: GeneratedClass[];
}

interface GeneratedClass {
  readonly name: string;
  readonly headerPath: string;
  readonly header: string;
  readonly sourcePath: string;
  readonly source: string;
}

type Layer = "domain" | "service" | "tool";

/** As everywhere, a source includes more than it uses. */
const unusedHeaders = ["iostream", "regex", "random", "unordered_map", "iomanip"] as const;

/** How many of the latest classes a new one may use. */
const reach: Readonly<Record<Layer, number>> = { domain: 12, service: 60, tool: 90 };

/** A tool has no header: its class stands in the source. */
function createClass(layer: Layer, name: string, layers: Layers): GeneratedClass {
  const words = new Words(`${layer} ${name}`);
  const type = capitalised(name);
  const isHeavy = words.below(16) === 0;
  const isPlain = isHeavy || words.below(3) !== 0;
  const kinds = isPlain
    ? repeated(plainMethods, isHeavy ? 24 + words.below(60) : 2 + words.below(6))
    : [...words.someOf(ordinaryMethods, 1), ...(words.below(8) === 0 ? [heavyMethod] : [])];
  const methods = kinds.map((kind) => kind(words.word(), words));
  const used = words.someOf(
    layers.classes.slice(-reach[layer]),
    isPlain ? words.below(2) : 1 + words.below(2),
  );
  const parts = isPlain ? [] : words.someOf(layers.containers, 1 + words.below(2));
  const includes =
    includesOf("base", words.someOf(layers.base, 2)) +
    includesOf("container", parts) +
    used.map(({ headerPath }) => `#include "${headerPath.replace("include/", "")}"\n`).join("");
  const declaration = classDeclaration(type, methods, parts, used, words);
  const header = `#pragma once
${words.comment(10 + words.below(20))}
#include "quarry/base/ledger.h"
${includes}#include <map>
#include <string>
#include <vector>
${systemIncludes(methods, declarationHeaders)}
namespace quarry {

${declaration}
}  // namespace quarry
`;
  const headerPath = `include/quarry/${layer}/${name}.h`;
  const body = definitions(type, methods, parts, used, words);
  const source = `${words.comment(8 + words.below(16))}
${layer === "tool" ? header.replace("#pragma once\n", "") : `#include "quarry/${layer}/${name}.h"\n`}
${systemIncludes(methods, () => true)}#include <${words.oneOf(unusedHeaders)}>

namespace quarry {
${body}
}  // namespace quarry
`;
  const generated = { name, headerPath, header, sourcePath: `src/${layer}/${name}.cpp`, source };
  if (layer !== "tool") layers.classes.push(generated);
  return generated;
}

function classDeclaration(
  type: string,
  methods: readonly MethodText[],
  parts: readonly string[],
  used: readonly GeneratedClass[],
  words: Words,
): string {
  const members = parts.map(
    (part, at) => `  ${capitalised(part)}<std::string, ${valueTypes[at % 3]}> ${part}_;\n`,
  );
  const links = used.map(({ name }) => `  void adopt(const ${capitalised(name)}& ${name});\n`);
  const declarations = methods.map(
    ({ declaration }) => words.comment(1 + words.below(4), "  ") + declaration,
  );
  const usesTable = methods.some(({ definition }) => definition.includes("table_"));
  const table = usesTable ? "  std::map<std::string, std::vector<double>> table_;\n" : "";
  return `${words.comment(3 + words.below(6))}class ${type} {
 public:
  explicit ${type}(std::string label = "${words.word()}") : label_(std::move(label)) {}
  [[nodiscard]] const std::string& label() const noexcept { return label_; }
  [[nodiscard]] std::size_t footprint() const;
${links.join("")}${declarations.join("")}
 private:
  std::string label_;
  Ledger ledger_;
${table}  std::vector<double> weights_;
${members.join("")}};
`;
}

const valueTypes = ["double", "std::vector<int>", "std::string"] as const;

function definitions(
  type: string,
  methods: readonly MethodText[],
  parts: readonly string[],
  used: readonly GeneratedClass[],
  words: Words,
): string {
  const sizes = parts.map((part) => `  total += ${part}_.size() * ${1 + words.below(60)};\n`);
  const links = used.map(({ name }) => {
    const other = `const ${capitalised(name)}& ${name}`;
    return `
void Self::adopt(${other}) {
  label_ += ${name}.label();
  weights_.push_back(static_cast<double>(ledger_.balance(${name}.footprint())));
}
`;
  });
  const bodies = methods.map(
    ({ definition }) => `\n${words.comment(2 + words.below(5))}${definition.trimStart()}`,
  );
  const text = `
std::size_t Self::footprint() const {
  std::size_t total = label_.size() + weights_.size();
${sizes.join("")}  return total + ledger_.balance(total);
}
${links.join("")}${bodies.join("")}`;
  return text.replaceAll("Self::", `${type}::`);
}

/** The first ones again when there are not enough. */
function repeated<T>(all: readonly T[], count: number): T[] {
  return Array.from({ length: Math.ceil(count / all.length) }, () => all)
    .flat()
    .slice(0, count);
}

function includesOf(layer: string, names: readonly string[]): string {
  return names.map((name) => `#include "quarry/${layer}/${name}.h"\n`).join("");
}

/** Those that a declaration needs too. */
function declarationHeaders(header: string): boolean {
  return ["functional", "memory", "optional", "set", "string_view", "utility", "variant"].includes(header);
}

function systemIncludes(methods: readonly MethodText[], filter: (header: string) => boolean): string {
  const headers = new Set(methods.flatMap((method) => method.headers).filter(filter));
  return [...headers]
    .sort()
    .map((header) => `#include <${header}>\n`)
    .join("");
}

function distinctNames(words: Words, count: number): string[] {
  const names = new Set<string>();
  while (names.size < count) names.add(words.word());
  return [...names];
}
