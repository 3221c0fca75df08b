import { createHash } from "node:crypto";
import type { BuildFacts } from "../build-facts.ts";

/** Of package-lock.json what is read here. */
interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
}

export interface PackageLock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface Component {
  readonly type: "library" | "application";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** `excluded`: takes part in making the programs and is in none of them. */
  readonly scope: "required" | "excluded";
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly unknown[];
}

/** The software bill of materials in CycloneDX 1.5: what is in the packages, and what they were made with. */
export function renderBillOfMaterials(
  lock: PackageLock,
  facts: BuildFacts,
  /** Of the C library that the C programs are linked with. */
  glibcVersion: string,
): string {
  const locked = Object.entries(lock.packages).flatMap(([path, entry]) => component(path, entry));
  const components = [glibc(glibcVersion), ...locked];
  const timestamp = new Date(facts.epochSeconds * 1000).toISOString();
  const content = {
    metadata: {
      timestamp,
      component: { type: "application", "bom-ref": "homcc", name: "homcc", version: facts.version },
    },
    components,
    dependencies: [
      {
        ref: "homcc",
        dependsOn: components.filter(({ scope }) => scope === "required").map((one) => one["bom-ref"]),
      },
    ],
  };
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify(content))}`;
  return `${JSON.stringify({ bomFormat: "CycloneDX", specVersion: "1.5", serialNumber, version: 1, ...content }, null, 2)}\n`;
}

function component(path: string, entry: LockedPackage): Component[] {
  const name = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
  const { version, license, integrity } = entry;
  // Workspaces are homcc itself, and Node comes for the architecture of this machine alone.
  if (name === undefined || version === undefined || entry.link === true) return [];
  const isNode = name.startsWith("node-linux-");
  if (isNode && name !== `node-linux-${process.arch}`) return [];
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return [
    {
      type: isNode ? "application" : "library",
      "bom-ref": path,
      name,
      version,
      purl,
      scope: entry.dev === true ? "excluded" : "required",
      ...(integrity === undefined ? {} : { hashes: [hashOf(integrity)] }),
      ...(license === undefined ? {} : { licenses: [licenceOf(license)] }),
    },
  ];
}

function glibc(version: string): Component {
  const purl = `pkg:generic/glibc@${version}`;
  const licenses = [{ license: { id: "LGPL-2.1-or-later" } }];
  return { type: "library", "bom-ref": "glibc", name: "glibc", version, purl, scope: "required", licenses };
}

/** `sha512-BASE64` */
function hashOf(integrity: string): { alg: string; content: string } {
  const [algorithm = "", base64 = ""] = integrity.split("-");
  return {
    alg: algorithm.toUpperCase().replace("SHA", "SHA-"),
    content: Buffer.from(base64, "base64").toString("hex"),
  };
}

function licenceOf(license: string): unknown {
  return /[ ()]/.test(license) ? { expression: license } : { license: { id: license } };
}

/** The same content has the same number. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
