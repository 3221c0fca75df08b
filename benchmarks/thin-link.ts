/**
 * A thin link in user space: a TCP proxy with rate, delay and loss each way for everything that goes through its port. It
 * needs no root and is a process of its own, so that it does not take part in what is measured. Any other emulator
 * can stand in its place: all that clients see of it is HOST:PORT.
 *
 *     node benchmarks/thin-link.ts --to HOST:PORT [--listen HOST:PORT] [--up MBIT] [--down MBIT] [--rtt MS] [--loss PERCENT]
 *
 * Several `--to`, each with its `--listen`, share the line. It prints `listening on port PORT…`, and its counters as one line of JSON for each line that it reads. It ends with its
 * standard input.
 */
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { type Address, startProxy } from "./link/proxy.ts";

const { values } = parseArgs({
  options: {
    to: { type: "string", multiple: true, default: [""] },
    listen: { type: "string", multiple: true, default: [] },
    up: { type: "string", default: "10" },
    down: { type: "string", default: "50" },
    rtt: { type: "string", default: "30" },
    loss: { type: "string", default: "0" },
  },
});
const delayMs = positive("rtt", values.rtt) / 2;
const loss = positive("loss", values.loss) / 100;
const routes = values.to.map((to, index) => ({
  listen: addressOf("listen", values.listen[index] ?? "127.0.0.1:0"),
  target: addressOf("to", to),
}));
const proxy = await startProxy(routes, {
  up: { megabitsPerSecond: positive("up", values.up), delayMs, loss },
  down: { megabitsPerSecond: positive("down", values.down), delayMs, loss },
});
console.log(`listening on port ${proxy.ports.join(" ")}`);
const lines = createInterface({ input: process.stdin });
lines.on("line", () => console.log(JSON.stringify(proxy.counters())));
lines.on("close", () => process.exit(0));

function addressOf(name: string, text: string | undefined): Address {
  const [, host, port] = /^(.+):(\d+)$/.exec(text ?? "") ?? [];
  if (host === undefined || port === undefined) usage(`--${name} is HOST:PORT`);
  return { host, port: Number(port) };
}

function positive(name: string, text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!(value >= 0)) usage(`--${name} is a number from 0`);
  return value;
}

function usage(message: string): never {
  console.error(message);
  process.exit(64);
}
