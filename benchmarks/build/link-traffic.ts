import type { ThinLink } from "../link/thin-link-process.ts";
import type { Traffic } from "./contender.ts";

export async function trafficOf(link: ThinLink): Promise<Traffic> {
  const { up, down } = await link.counters();
  return {
    upBytes: up.payloadBytes,
    downBytes: down.payloadBytes,
    upWireBytes: up.wireBytes,
    downWireBytes: down.wireBytes,
  };
}
