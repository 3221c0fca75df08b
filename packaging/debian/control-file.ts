import { type DebianPackage, nodeLibraries } from "./package-table.ts";

export interface ControlFacts {
  readonly version: string;
  readonly maintainer: string;
  /** As dpkg names it: amd64, arm64. */
  readonly architecture: string;
  readonly installedBytes: number;
}

export function renderControlFile(item: DebianPackage, facts: ControlFacts): string {
  const lists: readonly (readonly [field: string, names: readonly string[]])[] = [
    ["Depends", [...nodeLibraries, ...item.depends]],
    ["Recommends", item.recommends],
    ["Suggests", item.suggests],
  ];
  return [
    `Package: ${item.name}`,
    `Version: ${facts.version}`,
    `Architecture: ${facts.architecture}`,
    `Maintainer: ${facts.maintainer}`,
    `Installed-Size: ${Math.ceil(facts.installedBytes / 1024)}`,
    ...lists.filter(([, names]) => names.length > 0).map(([field, names]) => `${field}: ${names.join(", ")}`),
    `Section: ${item.section}`,
    "Priority: optional",
    `Description: ${item.synopsis}`,
    item.description.map(wrapParagraph).join("\n .\n"),
    "",
  ].join("\n");
}

function wrapParagraph(text: string): string {
  return ` ${text.replaceAll(/(.{1,76})(?: +|$)/g, "$1\n ").trimEnd()}`;
}
