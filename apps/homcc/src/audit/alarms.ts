import type { Finding } from "./findings.ts";
import { quarantineOf } from "./quarantine.ts";

/** One line for each server and each set of flags that get no jobs: what was found, and what to do. */
export function alarmsOf(findings: readonly Finding[]): string[] {
  if (findings.length === 0) return [];
  const { servers, signatures } = quarantineOf(findings);
  return [
    ...[...servers.values()].map((found) => alarm(`${found[0]?.host ?? "?"} gets no jobs`, found)),
    ...[...signatures.values()].map((found) =>
      alarm(`commands like '${found[0]?.signature.text ?? "?"}' stay at home`, found),
    ),
  ];
}

function alarm(effect: string, found: readonly Finding[]): string {
  const latest = found.at(-1);
  return `self-audit: ${latest?.source ?? "?"} from ${latest?.host ?? "?"} is not what this machine's compiler makes (${latest?.what ?? "?"}): ${effect}. Compile anew what came from there. 'homcc audit' has the details; 'homcc audit --clear' ends this`;
}
