import type { Growth } from "./measurements.ts";
import type { SoakReport } from "./soak.ts";

/** What homccd knows of 100,000 results has a bound, which a run may not have come to: 300 bytes each. */
const noiseMiB = 12;
const noiseShare = 0.15;
/** A client's connection, the runner of its session, and what comes and goes at the moment of a look; what is left at the end is looked at apart. */
const noiseDescriptorsPerClient = 6;

const maxRefusedShare = 0.1;

/** What does not hold; empty when all does. */
export function complaintsAbout(report: SoakReport): string[] {
  return [
    // One fault may end the jobs that every client has at that moment.
    ...(report.refused > report.jobs * maxRefusedShare ? [`${report.refused} jobs were refused`] : []),
    ...report.leftovers.map((leftover) => `left behind: ${leftover}`),
    ...grownMemory("homccd", report.homccdMemory),
    ...grownMemory("agents", report.agentMemory),
    ...grownDescriptors("homccd", report.homccdDescriptors, noiseDescriptorsPerClient * report.clients),
    ...grownDescriptors("agents", report.agentDescriptors, noiseDescriptorsPerClient),
  ];
}

export function describeSoak(report: SoakReport): string {
  const { jobs, seconds, remote, home, cancelled, refused, faults } = report;
  return [
    `${jobs} jobs in ${seconds.toFixed(0)} s, ${(jobs / seconds).toFixed(1)} a second: every object right`,
    `${remote} on the server, ${home} at home, ${cancelled} cancelled, ${refused} more refused while there was no server`,
    Object.entries(faults)
      .map(([fault, count]) => `${fault}: ${count}`)
      .join(", "),
    `homccd ${inWords(report.homccdMemory)} MiB in use (${inWords(report.homccdResident)} resident), ` +
      `${inWords(report.homccdDescriptors)} descriptors, ${report.homccdCpuMsPerJob.toFixed(1)} ms of a processor for each job`,
    `an agent ${inWords(report.agentMemory)} MiB, ${inWords(report.agentDescriptors)} descriptors`,
  ].join("\n");
}

export function inWords({ before, after }: Growth): string {
  return `${before.toFixed(0)} → ${after.toFixed(0)}`;
}

function grownMemory(who: string, growth: Growth): string[] {
  const allowed = growth.before + Math.max(noiseMiB, growth.before * noiseShare);
  return growth.after > allowed
    ? [`${who}: memory grows: ${inWords(growth)} MiB in a quarter of the run`]
    : [];
}

function grownDescriptors(who: string, growth: Growth, noise: number): string[] {
  return growth.after > growth.before + noise ? [`${who}: descriptors grow: ${inWords(growth)}`] : [];
}
