import { connect, isIPv6, type Socket } from "node:net";
import { errnoOf } from "@homcc/cas/errno";
import type { Host } from "@homcc/config/hosts";
import { version } from "@homcc/config/version";
import { systemClock } from "@homcc/observability/clock";
import { shortFingerprint } from "@homcc/identity/fingerprint";
import { describeError, HomccError } from "@homcc/observability/error";
import type { Welcome } from "@homcc/protocol/hello";
import { greetTrusted } from "@homcc/transport/connect";
import { ConnectError } from "@homcc/transport/connect-error";
import { askInventory, type InventoryAnswer } from "../ask/inventory.ts";
import { trustIn } from "../remote/server-trust.ts";
import type { Examination } from "./examination.ts";

/** A server that has welcomed us. */
export interface Greeted {
  readonly welcome: Welcome;
  readonly roundTripMs: number;
  /** When the welcome came, by our clock: milliseconds since the epoch. */
  readonly receivedAtMs: number;
  readonly inventory: InventoryAnswer;
}

type Attempt =
  | { readonly kind: "greeted"; readonly address: string; readonly greeted: Greeted }
  | { readonly kind: "failed"; readonly address: string; readonly text: string; readonly cure: string };

/** Tries every address of the host by itself: where one family answers and the other does not, that is the cause. */
export async function examineConnection(
  host: Host,
  addresses: readonly string[],
  timeoutMs: number,
  examination: Examination,
): Promise<Greeted | undefined> {
  const attempts = await Promise.all(addresses.map((address) => attempt(host, address, timeoutMs)));
  const success = attempts.find((each) => each.kind === "greeted");
  if (success === undefined) {
    for (const each of attempts) if (each.kind === "failed") examination.problem(each.text, each.cure);
    return undefined;
  }
  const { welcome, roundTripMs } = success.greeted;
  examination.ok(
    `${welcome.server} answers at ${success.address} port ${host.port}, round trip ${roundTripMs.toFixed(1)} ms, ${protectionOf(host)}`,
  );
  for (const each of attempts)
    if (each.kind === "failed") examination.note(`another address of ${host.name}: ${each.text}`);
  return success.greeted;
}

/** How what is sent is protected, for people. */
export function protectionOf({ tls, ssh }: Host): string {
  if (ssh !== undefined) return "through SSH";
  if (tls === undefined) return "not encrypted";
  return tls.kind === "pool"
    ? `TLS with the pool's key ${shortFingerprint(tls.fingerprint)}…`
    : "TLS with a certificate for that name";
}

async function attempt(host: Host, address: string, timeoutMs: number): Promise<Attempt> {
  const failed = (text: string, cure: string): Attempt => ({ kind: "failed", address, text, cure });
  const deadline = AbortSignal.timeout(timeoutMs);
  const socket = connect({ host: address, port: host.port, noDelay: true });
  // Listened to for as long as the socket lives: an error without a listener would end the process.
  socket.on("error", () => {});
  try {
    await connected(socket, deadline);
  } catch (error) {
    socket.destroy();
    return failed(...unreachable(host, address, timeoutMs, error));
  }
  try {
    const peer = `${isIPv6(address) ? `[${address}]` : address}:${host.port}`;
    const startMs = systemClock.monotonicMs();
    const trust = await trustIn(host.tls);
    const options = { peer, host: host.name, deadline, agent: `homcc ${version}` };
    const { channel, welcome } = await greetTrusted(socket, trust, options);
    const roundTripMs = systemClock.monotonicMs() - startMs;
    const receivedAtMs = systemClock.wallMs();
    const inventory = await askInventory(channel, welcome);
    const greeted = { welcome, roundTripMs, receivedAtMs, inventory };
    void channel.close("homcc doctor has seen enough");
    return { kind: "greeted", address, greeted };
  } catch (error) {
    socket.destroy();
    return failed(...ungreeted(host, timeoutMs, error));
  }
}

async function connected(socket: Socket, deadline: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("connect", resolve).once("error", reject);
  deadline.addEventListener("abort", () => reject(deadline.reason), { once: true });
  await promise;
}

/** Cause and cure of a connection that did not come about. */
function unreachable(host: Host, address: string, timeoutMs: number, error: unknown): [string, string] {
  const place = `${address} port ${host.port}`;
  const isV6 = isIPv6(address);
  switch (errnoOf(error)) {
    case "ECONNREFUSED":
      return [
        `nobody listens at ${place} (${isV6 ? "IPv6" : "IPv4"}): connection refused`,
        `is homccd running there? is the port right at ${host.source}? (homccd's own is 3126) ${familyCure(isV6)}`,
      ];
    case "ENETUNREACH":
    case "EHOSTUNREACH":
    case "EADDRNOTAVAIL":
      return [
        `there is no way to ${place} (${errnoOf(error)})`,
        isV6
          ? "this machine has no IPv6 connection to it: name its IPv4 address, or connect the VPN that has one"
          : "is the VPN up? is the address right?",
      ];
    default:
      return [
        errnoOf(error) === undefined
          ? `${place} did not answer within ${timeoutMs / 1000} s: packets are dropped on the way`
          : `${place} cannot be reached: ${describeError(error)}`,
        `is the VPN up, the machine on? does every firewall in between let TCP port ${host.port} through?`,
      ];
  }
}

function familyCure(isV6: boolean): string {
  return isV6
    ? "A homccd listens on IPv4 only unless it was started with --listen ::, so name its IPv4 address"
    : "A homccd that listens on IPv6 only is reached by a line like [fd00::1]:3126/12";
}

/** Cause and cure of a connection that came about, to something that did not welcome us. */
export function ungreeted(host: Host, timeoutMs: number, error: unknown): [string, string] {
  const place = `${host.name} port ${host.port}`;
  if (error instanceof HomccError && error.code === "ERR_HOMCC_CONFIGURATION") {
    return [describeError(error), error.hint ?? `correct it at ${host.source}`];
  }
  if (!(error instanceof ConnectError)) {
    return [
      error instanceof DOMException
        ? `something listens at ${place}, and did not answer our hello within ${timeoutMs / 1000} s`
        : `${place}: ${describeError(error)}`,
      `what listens there is no homccd, or one that is stopped; is the port right at ${host.source}?`,
    ];
  }
  switch (error.failure) {
    case "v1":
      return [
        `${error.message}: if it is homcc 1.x, it is used in its own format, which is slower and cannot do everything`,
        `install homccd 2 on that machine; any other program: correct the port at ${host.source}`,
      ];
    case "not-v2":
      return notHomccd(host, error);
    case "version-mismatch":
      return [error.message, error.hint ?? "install the same version on both machines"];
    case "refused":
      if (host.tls !== undefined || error.message.includes("not paired"))
        return [
          error.message,
          "ask the administrator of that server for a line of homccd pair, and run homcc pair",
        ];
      return [
        error.message,
        "add that address to the option `allow` of homccd there, as in --allow 'private 203.0.113.7', and restart it",
      ];
    case "untrusted":
      return [error.message, error.hint ?? "ask whoever runs that server"];
    case "unreachable":
    case "timed-out":
      return [error.message, `is the port right at ${host.source}?`];
  }
}

/** "HTTP/" in the hexadecimal digits of an answer. */
const httpBytes = "485454502f";

function notHomccd(host: Host, error: ConnectError): [string, string] {
  const { message } = error;
  if (message.includes(httpBytes) || message.includes("TLS")) {
    const what = message.includes("TLS") ? "a program that speaks TLS" : "an HTTP server";
    return [
      `${what} listens at ${host.name} port ${host.port}, and no homccd`,
      `correct the port at ${host.source}; homccd's own is 3126`,
    ];
  }
  return [
    `what listens at ${host.name} port ${host.port} is no homccd 2: ${message}`,
    `another program listens there: correct the port at ${host.source}`,
  ];
}
