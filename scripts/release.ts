/**
 * `npm run release`: everything that is published, in target/: Debian packages, npm packages, an archive for machines without
 * root, a bill of materials, licences, the changes, and checksums of all of them.
 */
import { readBuildFacts } from "../packaging/build-facts.ts";
import { makeRelease } from "../packaging/release/make-release.ts";
import { targetFolder } from "../packaging/scratch.ts";

for (const path of await makeRelease(await readBuildFacts(process.env), targetFolder)) console.log(path);
