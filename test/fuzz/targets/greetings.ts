import {
  agree,
  chooseVersion,
  encodeHello,
  encodeRefusal,
  encodeWelcome,
  mayBeV1Argument,
  readClientGreeting,
  readPreface,
  readServerGreeting,
  v1PrefixBytes,
} from "@homcc/protocol/hello";
import { maxFrameBytes, maxV1ArgumentBytes, minFrameBytes } from "@homcc/protocol/limits";
import { jsonWords, mutatedJson } from "../json.ts";
import type { Random } from "../random.ts";
import { orRefused } from "../refusals.ts";
import { type FuzzTarget, must, mustEqual } from "../target.ts";
import { v1Recordings, vectors } from "../vectors.ts";

const golden = vectors("protocol");
const first: readonly Buffer[] = [
  ...["hello", "welcome", "welcome-in-full", "connection-refused"].flatMap((name) => golden.get(name) ?? []),
  ...v1Recordings().filter((bytes) => bytes.includes("ArgumentMessage")),
];

/** The first message of a connection, in both directions. */
export const greetings: FuzzTarget = {
  name: "greetings",
  property: "the first bytes of a connection are a greeting that can be said again, or refused",
  dictionary: jsonWords,
  generate(random: Random) {
    const message = random.pick(first);
    const end = v1PrefixBytes + message.readUInt32LE(0);
    const json = Buffer.from(mutatedJson(JSON.parse(message.toString("utf8", v1PrefixBytes, end)), random));
    const prefix = Buffer.alloc(v1PrefixBytes);
    prefix.writeBigUInt64LE(BigInt(json.byteLength));
    return Buffer.concat([prefix, json]);
  },
  check(input) {
    if (input.byteLength < v1PrefixBytes) return;
    const preface = readPreface(input, maxV1ArgumentBytes);
    if (preface.kind === "json")
      must(preface.jsonBytes <= maxV1ArgumentBytes, "a longer message than allowed");
    const json = input.subarray(v1PrefixBytes);
    mayBeV1Argument(json);
    const client = orRefused(() => readClientGreeting(json));
    if (client?.kind === "v2") {
      const said = encodeHello(client.hello).subarray(v1PrefixBytes);
      mustEqual("the hello said again", readClientGreeting(said), client);
      chooseVersion(client.hello.versions);
      const { maxOutgoingFrameBytes } = agree(client.hello);
      must(maxOutgoingFrameBytes >= minFrameBytes && maxOutgoingFrameBytes <= maxFrameBytes, "a frame size");
    }
    const server = orRefused(() => readServerGreeting(json));
    if (server === undefined) return;
    const said = server.kind === "welcome" ? encodeWelcome(server.welcome) : encodeRefusal(server.refusal);
    mustEqual("the answer said again", readServerGreeting(said.subarray(v1PrefixBytes)), server);
  },
};
