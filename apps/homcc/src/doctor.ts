/** `homcc doctor`: goes the way of a job step by step, and says where it ends and what to do. Entry of dist/doctor.mjs. */
import { type LoadedSettings, loadSettings } from "@homcc/config/load";
import { silentLogger } from "@homcc/observability/log";
import { createServices } from "./agent-services.ts";
import { askServers } from "./ask/servers.ts";
import { renderServers } from "./ask/servers-print.ts";
import { examineAgentPlace } from "./doctor/agent-place.ts";
import { examineCompilers } from "./doctor/compilers.ts";
import { examineConfiguration } from "./doctor/configuration.ts";
import { Examination } from "./doctor/examination.ts";
import { examineFindings } from "./doctor/findings.ts";
import { chooseHosts } from "./doctor/hosts.ts";
import { examinePools } from "./doctor/pools.ts";
import { examineServer } from "./doctor/server.ts";
import type { Installation } from "./launcher/installation.ts";
import { uncounted } from "./records/uncounted.ts";
import type { Services } from "./services.ts";

export interface DoctorCall {
  /** As on a line of the hosts file; none: all that are configured. */
  readonly hosts: readonly string[];
  /** homcc's own, of the command line. */
  readonly options: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly installation: Installation;
}

/** `homcc --show-hosts --verbose`: every server is asked what it is. */
export async function tellServers(
  loaded: LoadedSettings,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const services = await servicesOfOneCall(environment);
  try {
    return renderServers(await askServers(await services.pools.resolveNow(loaded), services.tunnels));
  } finally {
    services.servers.close();
  }
}

/** The exit status: 0 when all is well, 1 when there is a problem. */
export async function examine(call: DoctorCall): Promise<number> {
  const { environment, options, installation } = call;
  const examination = new Examination((text) => process.stdout.write(text));
  const configured = await loadSettings({ environment, commandLine: options, cwd: process.cwd() });
  await examineConfiguration(configured, environment, examination);
  await examineAgentPlace(environment, examination);
  const services = await servicesOfOneCall(environment);
  const loaded = await services.pools.resolveNow(configured);
  examinePools(loaded.pools, services.pools, examination);
  examineFindings(services.audits.findings.all, examination);
  try {
    const compilers = await examineCompilers({ environment, installation, services }, examination);
    for (const host of await chooseHosts(call.hosts, loaded, services.pools, examination)) {
      await examineServer(host, { loaded, environment, services, compilers }, examination);
    }
  } finally {
    services.servers.close();
  }
  return examination.finish();
}

async function servicesOfOneCall(environment: Readonly<Record<string, string>>): Promise<Services> {
  return await createServices(environment, silentLogger, {
    idle: { idleTimeoutMs: 0 },
    logThreshold: { level: "CRITICAL" },
    statistics: uncounted,
    ownResults: undefined,
  });
}
