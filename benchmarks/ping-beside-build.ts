/**
 * Pings of another program beside a first build that uploads, through a link that is emulated packet by packet. Needs root, /dev/net/tun,
 * iproute2 and a program that joins two network namespaces: `NS_A NS_B --up MBIT --down MBIT --rtt MS`, with 10.77.0.1 in the first and
 * 10.77.0.2 in the second, which prints "ready".
 *
 *     node benchmarks/ping-beside-build.ts --wanlink PROGRAM [--up MBIT] [--down MBIT] [--rtt MS] [--megabytes N]
 *
 * Prints round trips of 64 bytes by UDP every 20 ms, idle and beside the build, and what the uplink carried meanwhile. Link and pings run
 * with the priority of real time, where the machine allows that: what is measured is the queue, not who else has the processor.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { homccProgram } from "../test/support/repository.ts";
import { startServer } from "../test/support/server.ts";
import { createWorkplace } from "../test/support/workplace.ts";

const serverAddress = "10.77.0.2";
const echoPort = 7;
const everyMs = 20;
const sources = 20;

const { values } = parseArgs({
  options: {
    wanlink: { type: "string" },
    up: { type: "string", default: "5" },
    down: { type: "string", default: "25" },
    rtt: { type: "string", default: "30" },
    megabytes: { type: "string", default: "8" },
    /** This program again, in a namespace. */
    role: { type: "string" },
  },
});

if (values.role === "echo") await echo();
else if (values.role === "ping") await ping();
else await measure();

async function measure(): Promise<void> {
  const { wanlink, up, down, rtt } = values;
  if (wanlink === undefined) throw new Error("--wanlink PROGRAM is missing");
  const home = `homcc-home-${process.pid}`;
  const away = `homcc-away-${process.pid}`;
  const inside = (name: string): string[] => ["nsenter", `--net=/var/run/netns/${name}`];
  const real = ["chrt", "--fifo", "50"];
  const self = (role: string): string[] => [process.execPath, import.meta.filename, "--role", role];
  const children: ChildProcess[] = [];
  const start = ([program = "", ...words]: readonly string[]): ChildProcess => {
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    return child;
  };
  for (const name of [home, away]) run(["ip", "netns", "add", name]);
  try {
    const link = start([...real, wanlink, home, away, "--up", up, "--down", down, "--rtt", rtt]);
    await once(link.stdout!, "data");
    await once(start([...inside(away), ...real, ...self("echo")]).stdout!, "data");
    await using server = await startServer({ listen: serverAddress, prefix: inside(away), limit: 64 });
    await using workplace = await createWorkplace({ parent: "/var/tmp", hosts: `${server.address}/64` });
    const names = Array.from({ length: sources }, (_, index) => `unit${index}.c`);
    const bytesEach = Math.round((Number(values.megabytes) * 1e6) / sources);
    for (const name of names) {
      // Of six bits each: what zstd leaves of it is what was asked for.
      const noise = randomBytes(bytesEach).toString("base64");
      await writeFile(join(workplace.project, name), `// ${noise}\nint ${name.replace(".c", "")};\n`);
    }
    const pinger = async (): Promise<{ trips(): Promise<number[]> }> => {
      const child = start([...inside(home), ...real, ...self("ping")]);
      const printed = text(child.stdout!);
      return {
        trips: async () => {
          child.kill("SIGTERM");
          return (await printed).trim().split("\n").map(Number);
        },
      };
    };
    const idle = await pinger();
    await pause(5_000);
    tell("idle", await idle.trips());
    const sentBytes = (): number => {
      const counters = run([...inside(home), "cat", "/proc/net/dev"]);
      return Number(/wan0:(?:\s+\d+){8}\s+(\d+)/.exec(counters)?.[1]);
    };
    await writeFile(join(workplace.project, "list"), `${names.join("\n")}\n`);
    const quietBytes = sentBytes();
    const building = workplace.run(
      [
        ...inside(home),
        "xargs",
        "-a",
        "list",
        "-P",
        String(sources),
        "-I{}",
        homccProgram,
        "gcc",
        "-c",
        "{}",
      ],
      { timeoutMs: 600_000 },
    );
    // The agent starts and dials; then something leaves.
    while (sentBytes() < quietBytes + 100_000) await pause(50);
    const beside = await pinger();
    const [fromBytes, fromMs] = [sentBytes(), performance.now()];
    while (sentBytes() < quietBytes + Number(values.megabytes) * 0.9e6) await pause(50);
    const megabits = ((sentBytes() - fromBytes) * 8) / (performance.now() - fromMs) / 1000;
    tell("beside", await beside.trips());
    console.log(`${megabits.toFixed(2)} of ${up} Mbit/s, headers included`);
    const { status, stderr } = await building;
    if (status !== 0) throw new Error(stderr);
  } finally {
    for (const child of children) child.kill("SIGTERM");
    for (const name of [home, away]) run(["ip", "netns", "del", name]);
  }
}

function run([program = "", ...words]: readonly string[]): string {
  return execFileSync(program, words, { encoding: "utf8" });
}

function tell(name: string, trips: readonly number[]): void {
  const sorted = trips.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(1);
  console.log(
    `${name}: ${trips.length} pings, median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms`,
  );
}

async function echo(): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("message", (message, { port, address }) => socket.send(message, port, address));
  socket.bind(echoPort, serverAddress);
  await once(socket, "listening");
  console.log("ready");
}

/** One round trip a line, in ms, until it is ended. */
async function ping(): Promise<void> {
  const socket = createSocket("udp4");
  const message = Buffer.alloc(64);
  socket.on("message", (answer) => console.log(performance.now() - answer.readDoubleLE()));
  for (;;) {
    message.writeDoubleLE(performance.now());
    socket.send(message, echoPort, serverAddress);
    await pause(everyMs);
  }
}
