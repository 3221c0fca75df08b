import { optionsOf } from "@homcc/config/options";
import { version } from "@homcc/config/version";
import { agentsOf } from "../../test/support/processes.ts";
import { homccProgram } from "../../test/support/repository.ts";
import { type Server, startServer } from "../../test/support/server.ts";
import { createWorkplace } from "../../test/support/workplace.ts";
import { type LinkProfile, startThinLink } from "../link/thin-link-process.ts";
import type { Contender, Site } from "./contender.ts";
import { trafficOf } from "./link-traffic.ts";
import { processTimeMs } from "./process-time.ts";

/** Without them figures would be those of caches that answer instead of the farm. */
const uncached = { flag: "--no-result-cache", variable: "HOMCC_CLIENT_CACHE_SIZE" };

export const homcc: Contender = {
  name: "homcc",
  learns: true,
  missing: () => undefined,
  start: async ({ project, recording, slots, folder }, profile): Promise<Site> => {
    const replay = ["--executor", "replay", "--replay-dir", recording, "--replay-root", project.root];
    const hasCache = optionsOf("homccd").some(([, { flags }]) => flags.includes(uncached.flag));
    const server = await startServer({
      limit: slots,
      options: [...replay, ...(hasCache ? [uncached.flag] : [])],
    });
    return await homccSite(folder, profile, server, slots);
  },
};

/** A client in `parent` of a server that has just been started, with a link between them. Ends both. */
export async function homccSite(
  parent: string,
  profile: LinkProfile,
  server: Server,
  slots: number,
): Promise<Site> {
  const link = await startThinLink(server.address, profile);
  const workplace = await createWorkplace({ parent, hosts: `127.0.0.1:${link.port}/${slots}` });
  return {
    version: `homcc ${version}`,
    prefix: [homccProgram],
    // The log of jobs is for tests: nobody has it on, and it takes 0.15 ms a job.
    environment: workplace.environment({ [uncached.variable]: "0", HOMCC_JOB_LOG: "" }),
    clientDaemonsMs: () =>
      agentsOf(workplace.homccFolder).reduce((sum, { pid }) => sum + processTimeMs(pid), 0),
    serverDaemonsMs: () => processTimeMs(server.pid),
    traffic: () => trafficOf(link),
    [Symbol.asyncDispose]: async () => {
      await workplace[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}
