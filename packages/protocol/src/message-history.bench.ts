/**
 * What a message costs on the wire and in time, coded in three ways: `node packages/protocol/src/message-history.bench.ts [messages]`.
 * The messages are warm jobs of a project with 400 headers.
 */
import { constants, createZstdCompress } from "node:zlib";
import { digestOf } from "@homcc/cas/digest";
import { packNow } from "./compression.ts";
import { maxMessageBytes } from "./limits.ts";
import { encodeMessage } from "./message-codec.ts";
import { MessageHistory } from "./message-history.ts";
import { clientMessages } from "./messages.ts";

const count = Number(process.argv[2] ?? 1000);
/** Not measured: the first ones warm up the history, and the program. */
const warmUp = 100;
const texts = Array.from({ length: count + warmUp }, (_, index) => warmJob(index));

measure("each alone", (text) => packNow(text).payload.byteLength);
const sender = new MessageHistory();
const wire: Uint8Array[] = [];
measure("with the history", (text) => {
  const payload = sender.pack(text) ?? text;
  sender.remember(text);
  wire.push(payload);
  return payload.byteLength;
});
const receiver = new MessageHistory();
measure("and read again", () => {
  const payload = wire.shift() ?? new Uint8Array();
  receiver.remember(receiver.unpack(payload, maxMessageBytes));
  return payload.byteLength;
});
await measureStream();

function measure(name: string, wireBytes: (text: Buffer) => number): void {
  for (const text of texts.slice(0, warmUp)) wireBytes(text);
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  let bytes = 0;
  for (const text of texts.slice(warmUp)) bytes += wireBytes(text);
  report(name, bytes, cpu, performance.now() - startedMs);
}

async function measureStream(): Promise<void> {
  const stream = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: 17 } });
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => (bytes += chunk.byteLength));
  const send = async (text: Buffer): Promise<void> => {
    stream.write(text);
    await new Promise<void>((resolve) => stream.flush(constants.ZSTD_e_flush, resolve));
  };
  for (const text of texts.slice(0, warmUp)) await send(text);
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  bytes = 0;
  for (const text of texts.slice(warmUp)) await send(text);
  report("a stream, flushed", bytes, cpu, performance.now() - startedMs);
}

function report(name: string, bytes: number, since: NodeJS.CpuUsage, wallMs: number): void {
  const { user, system } = process.cpuUsage(since);
  const each = [`${(bytes / count).toFixed(0)} bytes`, `${((user + system) / count).toFixed(0)} µs of CPU`];
  console.log(`${name}: ${each.join(", ")}, ${((wallMs * 1000) / count).toFixed(0)} µs each`);
}

function warmJob(index: number): Buffer {
  const build = "/home/someone/abseil-cpp/build";
  const stem = `absl/strings/CMakeFiles/strings.dir/file_${index}.cc.o`;
  const words =
    "-I/home/someone/abseil-cpp -O2 -g -std=gnu++17 -Wall -Wextra -Wcast-qual -Wconversion -MD -MT";
  const source = `/home/someone/abseil-cpp/absl/strings/file_${index}.cc`;
  return encodeMessage(clientMessages, {
    kind: "job",
    toolchain: {
      digest: digestOf(Buffer.from("toolchain")),
      driver: "/usr/bin/x86_64-linux-gnu-g++-12",
      family: "gcc",
      version: "x86_64-linux-gnu-g++-12 (Debian 12.2.0-14) 12.2.0",
    },
    steps: [
      {
        program: "/usr/bin/x86_64-linux-gnu-g++-12",
        argv: ["/usr/bin/c++", ...words.split(" "), stem, "-MF", `${stem}.d`, "-o", stem, "-c", source],
      },
    ],
    cwd: build,
    environment: { LANG: "C.UTF-8", PWD: build, TERM: "xterm-256color" },
    umask: 0o022,
    terminal: {},
    declareFrom: 1200,
    declare: [],
    inputs: Array.from({ length: 400 }, (_, at) =>
      (at * 7 + (at % 13 === 0 ? index : 0)) % 9 === 0 ? 2 : 1,
    ),
    outputs: [
      { path: `${build}/${stem}`, exists: true, mode: 0o644 },
      { path: `${build}/${stem}.d`, exists: true, mode: 0o644 },
    ],
    timeoutMs: 120_000,
    label: source,
  });
}
