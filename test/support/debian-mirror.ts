import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Where apt of this machine has the main packages of this Debian from. */
export async function debianMirror(): Promise<{ readonly mirror: string; readonly suite: string }> {
  const format = "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)";
  const words = ["indextargets", "--format", format, "Created-By: Packages"];
  const { stdout } = await promisify(execFile)("apt-get", words);
  for (const line of stdout.split("\n")) {
    const [origin, component, suite, mirror] = line.split(" ");
    if (origin !== "Debian" || component !== "main" || suite === undefined || mirror === undefined) continue;
    if (!suite.includes("-")) return { mirror, suite };
  }
  throw new Error("apt of this machine knows no Debian archive");
}
