const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const unitMs: ReadonlyMap<string, number> = new Map([
  ["h", hourMs],
  ["d", dayMs],
  ["w", 7 * dayMs],
  ["y", 365 * dayMs],
]);
/** Longer than anybody should believe in a key on a laptop. */
const maxMs = 10 * 365 * dayMs;

export const lifetimeAllowed = "12h, 90d, 26w, 1y, or a day to come like 2027-03-31; ten years at most";

/** When something ends that begins now; `undefined` for what is no time to come. A day counts to its end, in UTC. */
export function parseExpiry(text: string, nowMs: number): number | undefined {
  const expiryMs = endOf(text, nowMs);
  return expiryMs !== undefined && expiryMs > nowMs && expiryMs - nowMs <= maxMs ? expiryMs : undefined;
}

function endOf(text: string, nowMs: number): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,6})([hdwy])$/.exec(text) ?? [];
  if (amount !== undefined) return nowMs + Number(amount) * (unitMs.get(unit) ?? 0);
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const startMs = Date.parse(`${text}T00:00:00Z`);
  // `Date.parse` makes the second of March of the 30th of February.
  const isDay = !Number.isNaN(startMs) && new Date(startMs).toISOString().startsWith(text);
  return isDay ? startMs + dayMs - 1000 : undefined;
}

/** `2027-03-31 14:05 UTC` */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
