import { isIPv4, isIPv6 } from "node:net";
import { type Fingerprint, isFingerprint } from "@homcc/identity/fingerprint";
import type { HostText } from "./host-text.ts";
import { type Compression, compression as compressionType, compressions } from "./values.ts";

/** The port that homccd listens on, also in homcc 1.x. */
export const defaultPort = 3126;
/** Slots of a host, localhost included, whose line has no limit. */
export const defaultLimit = 2;
/** More than any build starts at once; keeps sums exact. */
const maxLimit = 100_000;

/** What a line of the hosts file demands of a server: `key=FINGERPRINT` or `tls`. */
export type HostProtection =
  | { readonly kind: "pool"; readonly fingerprint: Fingerprint }
  | { readonly kind: "authority" };

export type ParsedHost =
  | {
      readonly kind: "server";
      readonly host: {
        readonly name: string;
        readonly port: number;
        readonly limit: number;
        readonly compression: Compression | undefined;
      };
      /** How the connection has to be protected; `undefined`: not at all. */
      readonly protection: HostProtection | undefined;
      /** What stands before the `@`; `undefined` without one. */
      readonly sshUser: string | undefined;
    }
  /** `srv:NAME`: the servers that DNS has under that name; limit, compression and protection are each one's. */
  | {
      readonly kind: "pool";
      readonly name: string;
      readonly limit: number;
      readonly compression: Compression | undefined;
      readonly protection: HostProtection | undefined;
    }
  | { readonly kind: "localhost"; readonly limit: number; readonly hasPort: boolean }
  | {
      readonly kind: "malformed";
      readonly column: number;
      readonly error: { readonly message: string; readonly hint: string };
    };

const forms =
  "HOST, HOST:PORT, [IPV6]:PORT, each with USER@ or @ before it, srv:NAME, and with /LIMIT and then ,COMPRESSION or ,key=FINGERPRINT or ,tls";

/** Parses one host as the grammar in `hosts.ts` describes it. */
export function parseHost(hostText: HostText): ParsedHost {
  try {
    return parse(hostText.text);
  } catch (error) {
    if (!(error instanceof HostSyntaxError)) throw error;
    return {
      kind: "malformed",
      column: hostText.columnAt(error.index),
      error: { message: `'${hostText.text}': ${error.message}`, hint: `allowed: ${error.allowed}` },
    };
  }
}

/** No port has letters, so that no host begins like that. */
const poolPrefix = /^srv:(?!\d+([/,]|$))/i;

function parse(text: string): ParsedHost {
  const addressEnd = indexOrEnd(text, /[/,]/);
  const { limit, compression, protection } = parseSuffixes(text, addressEnd);
  if (poolPrefix.test(text)) {
    const name = parseName(text, 4, addressEnd);
    return { kind: "pool", name: name.toLowerCase(), limit, compression, protection };
  }
  const at = text.lastIndexOf("@", addressEnd - 1);
  const { name, port } = parseAddress(text.slice(0, addressEnd), at + 1);
  const sshUser = at < 0 ? undefined : parseUser(text.slice(0, at));
  if (sshUser === undefined && name.toLowerCase() === "localhost")
    return { kind: "localhost", limit, hasPort: port !== undefined };
  if (sshUser !== undefined && protection !== undefined) {
    throw new HostSyntaxError(
      at,
      "SSH and TLS in one",
      "HOST,key=FINGERPRINT or USER@HOST: SSH protects it already",
    );
  }
  const host = { name, port: port ?? defaultPort, limit, compression };
  return { kind: "server", host, protection, sshUser };
}

/** Never an option for ssh. */
function parseUser(user: string): string {
  if (user === "" || /^[\w.][\w.-]*$/.test(user)) return user;
  const allowed = "USER@HOST or @HOST, with letters, digits, '-', '_' and '.' in USER";
  throw new HostSyntaxError(0, `'${user}' is no user name`, allowed);
}

interface Suffixes {
  readonly limit: number;
  readonly compression: Compression | undefined;
  readonly protection: HostProtection | undefined;
}

function parseSuffixes(text: string, start: number): Suffixes {
  const slash = text.indexOf("/", start);
  const comma = text.indexOf(",", start);
  if (slash > comma && comma >= 0) {
    throw new HostSyntaxError(slash, "the limit comes after the compression", "HOST/LIMIT,COMPRESSION");
  }
  const limitEnd = comma >= 0 ? comma : text.length;
  const limit = slash >= 0 ? parseNumber(text, slash + 1, limitEnd, "limit", 0, maxLimit) : defaultLimit;
  let compression: Compression | undefined;
  let protection: HostProtection | undefined;
  for (let index = comma; index >= 0; index = text.indexOf(",", index + 1)) {
    const next = text.indexOf(",", index + 1);
    const word = text.slice(index + 1, next < 0 ? text.length : next);
    const found = parseWord(word, index + 1);
    if (typeof found !== "string" && protection === undefined) protection = found;
    else if (typeof found === "string" && compression === undefined) compression = found;
    else throw new HostSyntaxError(index + 1, `'${word}' is one too many`, forms);
  }
  return { limit, compression, protection };
}

/** One word behind a comma, which begins at `start`. */
function parseWord(word: string, start: number): Compression | HostProtection {
  if (word === "tls") return { kind: "authority" };
  const fingerprint = /^key=(.*)$/s.exec(word)?.[1];
  if (fingerprint !== undefined) {
    if (isFingerprint(fingerprint)) return { kind: "pool", fingerprint };
    throw new HostSyntaxError(
      start + 4,
      `'${fingerprint}' is no fingerprint`,
      "the 43 letters that homccd pair prints",
    );
  }
  const found = compressionType.parse(word, "file");
  if (found !== undefined) return found;
  const message = word === "" ? "the compression is missing" : `unknown compression '${word}'`;
  throw new HostSyntaxError(start, message, `${compressions.join(", ")}, key=FINGERPRINT, tls`);
}

/** `start` is where the address begins in `text`, which ends with it. */
function parseAddress(text: string, start: number): { name: string; port: number | undefined } {
  const address = text.slice(start);
  if (address.startsWith("[")) return parseBracketed(text, start);
  if (address.indexOf(":") !== address.lastIndexOf(":")) {
    if (isIPv6(address)) return { name: address, port: undefined };
    throw new HostSyntaxError(start, `'${address}' is no IPv6 address`, forms);
  }
  const nameEnd = start + indexOrEnd(address, /:/);
  const name = parseName(text, start, nameEnd);
  return { name, port: nameEnd < text.length ? parsePort(text, nameEnd + 1) : undefined };
}

function parseBracketed(text: string, start: number): { name: string; port: number | undefined } {
  const close = text.indexOf("]", start);
  if (close < 0) throw new HostSyntaxError(text.length, "']' is missing", forms);
  const name = text.slice(start + 1, close);
  if (!isIPv6(name)) throw new HostSyntaxError(start + 1, `'${name}' is no IPv6 address`, forms);
  if (close + 1 === text.length) return { name, port: undefined };
  if (text[close + 1] !== ":")
    throw new HostSyntaxError(close + 1, "']' is followed by something else", forms);
  return { name, port: parsePort(text, close + 2) };
}

const nameAllowed = "letters, digits, '-', '_' and '.' in a name";

function parseName(text: string, start: number, end: number): string {
  const name = text.slice(start, end);
  if (name === "") throw new HostSyntaxError(start, "the host is missing", forms);
  const bad = /[^A-Za-z0-9._-]/u.exec(name);
  if (bad !== null) throw new HostSyntaxError(start + bad.index, `'${bad[0]}' in a name`, nameAllowed);
  if (/^\d+(\.\d+){3}$/.test(name) && !isIPv4(name)) {
    throw new HostSyntaxError(start, `'${name}' is no IPv4 address`, "four numbers from 0 to 255");
  }
  // getaddrinfo refuses these; a leading dash or a lone dot is a typing error.
  if (name.length > 253 || /^[.-]|\.\./.test(name)) {
    throw new HostSyntaxError(start, `'${name}' is no host name`, nameAllowed);
  }
  return name;
}

function parsePort(text: string, start: number): number {
  return parseNumber(text, start, text.length, "port", 1, 65_535);
}

function parseNumber(
  text: string,
  start: number,
  end: number,
  what: string,
  min: number,
  max: number,
): number {
  const digits = text.slice(start, end);
  const value = /^\d{1,9}$/.test(digits) ? Number(digits) : Number.NaN;
  if (value >= min && value <= max) return value;
  const message = digits === "" ? `the ${what} is missing` : `'${digits}' is no ${what}`;
  throw new HostSyntaxError(start, message, `a ${what} from ${min} to ${max}`);
}

function indexOrEnd(text: string, pattern: RegExp): number {
  const index = text.search(pattern);
  return index < 0 ? text.length : index;
}

/** Only used within this file: what is wrong, at which index of the host's text. */
class HostSyntaxError extends Error {
  readonly index: number;
  readonly allowed: string;

  constructor(index: number, message: string, allowed: string) {
    super(message);
    this.index = index;
    this.allowed = allowed;
  }
}
