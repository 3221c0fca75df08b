import { compareWithPython, hasPython, Python } from "@homcc/config/python-configparser.fixture";
import type { FuzzTarget } from "../target.ts";

const lines = [
  "[s]",
  "[t]",
  "[DEFAULT]",
  "a = 1",
  "B: 2",
  "a = %(b)s",
  "  more",
  "# no",
  "; no",
  "",
  "[",
  "c",
  "= 3",
  "d = 50%%",
  "\tx = %(a)s",
];
let python: Python | undefined;

/** `homcc.conf`, read by Python beside us: homcc 1.x does. Several files are parted by a form feed. */
export const configuration: FuzzTarget = {
  name: "configuration",
  property: "a configuration file means what it means to Python's configparser",
  startsProcesses: true,
  maxBytes: 600,
  dictionary: ["[s]\n", "%(a)s", "%%", "\r\n", "\n\t", "=", ":", "\u2028", "\u0085", "\uFEFF"],
  unavailable: () => (hasPython ? undefined : "python3 is not installed"),
  generate: (random) => Buffer.from(random.many(1, 12, () => random.pick(lines)).join("\n")),
  async check(input) {
    const text = input.toString();
    // What is no UTF-8 Python refuses as a whole, and it has no surrogates.
    if (text.includes("\uFFFD")) return;
    python ??= new Python();
    await compareWithPython(python, text.split("\f").slice(0, 3));
  },
  close() {
    python?.[Symbol.dispose]();
    python = undefined;
  },
};
