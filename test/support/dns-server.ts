import { createSocket } from "node:dgram";
import { once } from "node:events";

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority?: number;
  readonly weight?: number;
}

/** A name server on a port of loopback that knows SRV records, and nothing else. */
export interface DnsServer extends AsyncDisposable {
  /** As `nameserver` in resolv.conf has it for c-ares. */
  readonly address: string;
  /** `undefined`: there is no such name · `"silent"`: no answer at all. */
  answer: readonly SrvRecord[] | "silent" | undefined;
  /** Questions so far. */
  questions(): number;
}

const noSuchName = 3;
const typeSrv = 33;

export async function startDnsServer(records: readonly SrvRecord[]): Promise<DnsServer> {
  const socket = createSocket("udp4");
  let asked = 0;
  const server: Omit<DnsServer, "address"> = {
    answer: records,
    questions: () => asked,
    [Symbol.asyncDispose]: async () => {
      const closed = once(socket, "close");
      socket.close();
      await closed;
    },
  };
  socket.on("message", (query, from) => {
    asked += 1;
    if (server.answer !== "silent") socket.send(reply(query, server.answer), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return Object.assign(server, { address: `127.0.0.1:${socket.address().port}` });
}

/** RFC 1035: the question again, and an answer for each record. */
function reply(query: Buffer, records: readonly SrvRecord[] | undefined): Buffer {
  let end = 12;
  while ((query[end] ?? 0) !== 0) end += (query[end] ?? 0) + 1;
  const question = query.subarray(12, end + 5);
  const isSrv = question.readUInt16BE(question.length - 4) === typeSrv;
  const answers = isSrv ? (records ?? []) : [];
  const header = Buffer.alloc(12);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  // An authoritative answer, recursion desired and available.
  header.writeUInt16BE(0x8580 | (records === undefined ? noSuchName : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  return Buffer.concat([header, question, ...answers.map(srvAnswer)]);
}

function srvAnswer({ name, port, priority = 10, weight = 10 }: SrvRecord): Buffer {
  const labels = name === "." ? [] : name.split(".");
  const target = Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);
  const fixed = Buffer.alloc(18);
  // The question's name.
  fixed.writeUInt16BE(0xc00c, 0);
  fixed.writeUInt16BE(typeSrv, 2);
  fixed.writeUInt16BE(1, 4);
  fixed.writeUInt32BE(5, 6);
  fixed.writeUInt16BE(6 + target.length, 10);
  fixed.writeUInt16BE(priority, 12);
  fixed.writeUInt16BE(weight, 14);
  fixed.writeUInt16BE(port, 16);
  return Buffer.concat([fixed, target]);
}
