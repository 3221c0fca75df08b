/**
 * `npm run deb`: builds target/homcc.deb and target/homccd.deb, of which each brings everything along.
 *
 *     node scripts/deb.ts [--compression xz|gzip] [--output FOLDER] [homcc] [homccd]
 */
import { parseArgs } from "node:util";
import { makeDebianPackages } from "../packaging/debian/make-packages.ts";
import { readBuildFacts } from "../packaging/build-facts.ts";
import { programNames } from "../packaging/program-tree.ts";
import { targetFolder } from "../packaging/scratch.ts";

const { values, positionals } = parseArgs({
  options: {
    compression: { type: "string", default: "xz" },
    output: { type: "string", default: targetFolder },
  },
  allowPositionals: true,
});
const compression = (["xz", "gzip"] as const).find((name) => name === values.compression);
const names = programNames.filter((name) => positionals.length === 0 || positionals.includes(name));
if (compression === undefined || names.length < positionals.length) {
  console.error("usage: node scripts/deb.ts [--compression xz|gzip] [--output FOLDER] [homcc] [homccd]");
  process.exit(2);
}
const facts = await readBuildFacts(process.env);
for (const path of await makeDebianPackages(names, { facts, compression, output: values.output }))
  console.log(path);
