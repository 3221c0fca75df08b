import { logLevels } from "@homcc/observability/log";
import { isIP } from "node:net";
import { type AddressRanges, addressRangesAllowed, parseAddressRanges } from "./address-ranges.ts";

/** Where a text comes from: homcc 1.x reads booleans differently in variables and in files. */
export type Origin = "command line" | "environment" | "file";

/** How the text of an option becomes a value. */
export interface ValueType<T> {
  /** Stands for the value in `--help`; empty for a boolean, whose flag takes no value. */
  readonly metavar: string;
  /** Completes "allowed: …". */
  readonly allowed: string;
  /** All texts that are allowed, where they can be listed; shells complete them. */
  readonly choices?: readonly string[];
  /** `undefined` for a text that is not allowed. */
  readonly parse: (text: string, origin: Origin) => T | undefined;
}

/** Algorithms of the homcc 1.x wire format. */
export const compressions = ["lzo", "lzma", "no_compression"] as const;
export type Compression = (typeof compressions)[number];

export const executorChoices = ["auto", "namespace", "mapped", "replay"] as const;
export type ExecutorChoice = (typeof executorChoices)[number];

export const toolchainChoices = ["own", "shipped"] as const;
export type ToolchainChoice = (typeof toolchainChoices)[number];

export const authenticationChoices = ["none", "required"] as const;

export const text: ValueType<string> = {
  metavar: "TEXT",
  allowed: "any text",
  parse: (given) => (given === "" ? undefined : given),
};

export const path: ValueType<string> = {
  metavar: "PATH",
  allowed: "a path",
  parse: (given) => (given === "" || given.includes("\0") ? undefined : given),
};

/** Names that end up in another program's command line or in a message: no blanks, no leading dash. */
export function name(metavar: string, allowed: string): ValueType<string> {
  return { metavar, allowed, parse: (given) => (/^[\w.][\w.:-]*$/.test(given) ? given : undefined) };
}

/** Names that may be used: `any`, or exactly those listed. */
export interface NameList {
  /** As configured. */
  readonly text: string;
  includes(name: string): boolean;
}

/** As the names above, of sandboxes. */
export const nameList: ValueType<NameList> = {
  metavar: "NAMES",
  allowed: 'names between blanks or commas, "any" or "none"',
  parse: (given) => {
    const names = given.split(/[\s,]+/).filter((word) => word !== "");
    if (names.length === 0 || names.some((word) => !/^[\w.][\w.:-]*$/.test(word))) return undefined;
    const [only] = names;
    if (names.length === 1 && only === "any") return { text: "any", includes: () => true };
    if (names.length === 1 && only === "none") return { text: "none", includes: () => false };
    return { text: names.join(" "), includes: (name) => names.includes(name) };
  },
};

export function integer(min: number, max: number): ValueType<number> {
  return {
    metavar: "N",
    allowed: `a whole number from ${min} to ${max}`,
    parse: (given) => {
      const value = /^\s*\+?\d{1,15}\s*$/.test(given) ? Number(given) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** 23 days: the delay of a timer in Node ends at 2^31 ms. */
const maxSeconds = 2_000_000;

/** Parsed to milliseconds, rounded up, so that no time-out becomes 0. */
export const seconds: ValueType<number> = {
  metavar: "S",
  allowed: `seconds above 0 and up to ${maxSeconds}; fractions like 0.5 are fine`,
  parse: (given) => {
    const value = /^\s*\+?(\d{1,15}(\.\d*)?|\.\d+)\s*$/.test(given) ? Number(given) : Number.NaN;
    return value > 0 && value <= maxSeconds ? Math.ceil(value * 1000) : undefined;
  },
};

/** What Python's configparser takes for a boolean. */
const fileBooleans: ReadonlyMap<string, boolean> = new Map([
  ["1", true],
  ["yes", true],
  ["true", true],
  ["on", true],
  ["0", false],
  ["no", false],
  ["false", false],
  ["off", false],
]);

export const boolean: ValueType<boolean> = {
  metavar: "",
  allowed: "1, yes, true, on, 0, no, false, off",
  parse: (given, origin) => {
    // homcc 1.x's expression for variables: a beginning is enough, except for "on", and nothing is an error.
    if (origin === "environment") return /^(?:1|yes|true|on$)/i.test(given);
    return fileBooleans.get(given.toLowerCase());
  },
};

/** Parsed to bytes. */
export const size: ValueType<number> = {
  metavar: "SIZE",
  allowed: "a whole number above 0 followed by M (mebibytes) or G (gibibytes)",
  parse: (given) => {
    const match = /^\s*(\d{1,9})([MG])\s*$/i.exec(given);
    const unit = match?.[2]?.toUpperCase() === "G" ? 2 ** 30 : 2 ** 20;
    const value = Number(match?.[1] ?? 0) * unit;
    return value > 0 ? value : undefined;
  },
};

/** The same, and 0 for nothing at all. */
export const sizeOrNone: ValueType<number> = {
  metavar: "SIZE",
  allowed: `${size.allowed}, or 0`,
  parse: (given, origin) => (/^\s*0\s*$/.test(given) ? 0 : size.parse(given, origin)),
};

/** Parsed to a share from 0 to 1. */
export const percent: ValueType<number> = {
  metavar: "PERCENT",
  allowed: "a number from 0 to 100; fractions like 0.5 are fine",
  parse: (given) => {
    const value = /^\s*(\d{1,3}(\.\d*)?|\.\d+)\s*%?\s*$/.test(given) ? Number.parseFloat(given) : Number.NaN;
    return value >= 0 && value <= 100 ? value / 100 : undefined;
  },
};

/** Parsed to bytes per second. */
export const megabits: ValueType<number> = {
  metavar: "MBIT",
  allowed: "Mbit/s from 0.01 to 100000; fractions like 2.5 are fine",
  parse: (given) => {
    const value = /^\s*\+?(\d{1,6}(\.\d*)?|\.\d+)\s*$/.test(given) ? Number(given) : Number.NaN;
    return value >= 0.01 && value <= 100_000 ? value * 125_000 : undefined;
  },
};

export function choice<const T extends string>(metavar: string, choices: readonly T[]): ValueType<T> {
  return {
    metavar,
    allowed: choices.join(", "),
    choices,
    parse: (given) => choices.find((one) => one.toLowerCase() === given.trim().toLowerCase()),
  };
}

export const logLevel: ValueType<(typeof logLevels)[number]> = choice("LEVEL", logLevels);
export const compression: ValueType<Compression> = choice("COMPRESSION", compressions);
export const executor: ValueType<ExecutorChoice> = choice("EXECUTOR", executorChoices);

export const toolchains: ValueType<ToolchainChoice> = choice("TOOLCHAINS", toolchainChoices);

export const authentication: ValueType<(typeof authenticationChoices)[number]> = choice(
  "AUTHENTICATION",
  authenticationChoices,
);

/** Addresses or names of this machine, each once; brackets around IPv6 addresses are taken off. */
export const listenAddresses: ValueType<readonly string[]> = {
  metavar: "ADDRESSES",
  allowed: "IPv4 and IPv6 addresses, or names of this machine, between blanks or commas",
  parse: (given) => {
    const words = given.split(/[\s,]+/).filter((word) => word !== "");
    const addresses = words.map((word) => word.replace(/^\[(.*)\]$/, "$1"));
    const areAll = addresses.every((word) => isIP(word) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9._-]*)$/.test(word));
    return areAll && addresses.length > 0 ? [...new Set(addresses)] : undefined;
  },
};

export const addressRanges: ValueType<AddressRanges> = {
  metavar: "RANGES",
  allowed: addressRangesAllowed,
  parse: parseAddressRanges,
};
