import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseIni } from "./ini.ts";
import { mergeIni, readKey } from "./ini-merge.ts";

/** Answers one JSON line, a list of files with the lowest precedence first, by what `ConfigParser` makes of them. */
const pythonReader = `
import configparser, io, json, sys

def outcome(texts):
    parser = configparser.ConfigParser()
    for text in texts:
        try:
            parser.read_file(io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"), "file")
        except configparser.DuplicateSectionError as e:
            return {"error": "duplicate-section", "line": e.lineno}
        except configparser.DuplicateOptionError as e:
            return {"error": "duplicate-key", "line": e.lineno}
        except configparser.MissingSectionHeaderError as e:
            return {"error": "missing-section", "line": e.lineno}
        except configparser.ParsingError as e:
            return {"error": "syntax", "line": e.errors[0][0]}
    sections = {}
    for section in parser.sections():
        values = sections[section] = {}
        for key in parser.options(section):
            try:
                values[key] = parser.get(section, key)
            except configparser.InterpolationError:
                values[key] = None
    return {"sections": sections}

for line in sys.stdin:
    print(json.dumps(outcome(json.loads(line))), flush=True)
`;

interface PythonOutcome {
  readonly error?: string;
  readonly line?: number;
  readonly sections?: Readonly<Record<string, Readonly<Record<string, string | null>>>>;
}

class Python {
  readonly #child: ChildProcessWithoutNullStreams = spawn("python3", ["-c", pythonReader]);
  readonly #answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();

  async read(texts: readonly string[]): Promise<PythonOutcome> {
    this.#child.stdin.write(`${JSON.stringify(texts)}\n`);
    const answer = await this.#answers.next();
    assert.ok(answer.done !== true, "python3 ended");
    // Made by the script above.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return JSON.parse(answer.value) as PythonOutcome;
  }

  [Symbol.dispose](): void {
    this.#child.stdin.end();
  }
}

const hasPython = spawnSync("python3", ["--version"]).status === 0;

/** Checks that `parseIni`, `mergeIni` and `readKey` give what Python gives. */
async function compare(python: Python, texts: readonly string[]): Promise<void> {
  const expected = await python.read(texts);
  const files = texts.map((text) => parseIni(text, "file"));
  const broken = files.find(({ errors }) => errors.length > 0);
  assert.equal(broken !== undefined, expected.error !== undefined, JSON.stringify(expected));
  if (broken !== undefined) {
    const [first] = broken.errors;
    assert.ok(first !== undefined);
    // Python goes on after a syntax error and stops at whatever else comes later.
    if (first.kind !== "syntax" || expected.error === "syntax") {
      assert.deepEqual([first.kind, first.line], [expected.error, expected.line]);
    }
    return;
  }
  const merged = mergeIni(files.toReversed());
  const actual = Object.fromEntries(
    [...merged.sections].map(([name, section]) => {
      const keys = new Set([...section.keys(), ...merged.defaults.keys()]);
      const values = [...keys].map((key): [string, string | null] => {
        const read = readKey(merged, name, key);
        return [key, read.kind === "value" ? read.text : null];
      });
      return [name, Object.fromEntries(values)];
    }),
  );
  assert.deepEqual(actual, expected.sections);
}

const handPicked: readonly (readonly string[])[] = [
  ["[homcc]\ncompression=lzo\nverbose = True\n"],
  ["[homcc]\na : b = c\nd=e:f\n"],
  ["[homcc]\na = 1\n  2\n\n  3\n# no\n  4\n\nb = 5\n"],
  ["[homcc]\na = 1\n ; comment\n  = x\n"],
  ["[homcc]\nA = 1\na = 2\n"],
  ["[a]\n[a]\n"],
  ["[DEFAULT]\nx = 1\n[DEFAULT]\ny = 2\n[s]\nz = %(X)s%(y)s%%\n"],
  ["[DEFAULT]\nx = 1\n[DEFAULT]\nx = 2\n"],
  ["a = 1\n[s]\n"],
  ["[s]\nno value\n"],
  ["[s]\n= 3\n"],
  ["[s]\na = %\n"],
  ["[s]\na = %(b)s\n"],
  ["[s]\na = %(a)s\n"],
  ["[s]\na = %(\n"],
  ["[s] trailing\na=1\n"],
  ["[s]x]\na=1\n"],
  ["[]\na=1\n"],
  ["[ s ]\na=1\n"],
  ["  [s]\n  a = 1\n  b = 2\n    c\n"],
  ["[s]\r\na = 1\r\n\tb\r[t]\rc = 2"],
  ["\u{feff}[s]\na = 1\n"],
  ["[s]\na = 1\n[DEFAULT]\n", "[DEFAULT]\nb = 2\n[s]\na = 3\n[t]\n"],
  ["[s]\na=x%(b)s\n", "[s]\nb=y\n"],
  ["[__proto__]\nconstructor = 1\ntostring : 2\n"],
  [""],
];

test("files are read as Python's ConfigParser reads them", async (t) => {
  if (!hasPython) {
    t.skip("needs python3");
    return;
  }
  using python = new Python();
  for (const texts of handPicked) {
    await compare(python, texts);
  }
});

const structure = [
  "[s]",
  "[t]",
  "[DEFAULT]",
  "[",
  "]",
  "a",
  "B",
  "b",
  "\n",
  "\n",
  "\n",
  "\r\n",
  "\r",
  " ",
  "  ",
  "\t",
];
const values = ["=", "=", ":", "#", ";", "%", "%%", "%(a)s", "%(B)s", "%(b", "1", "x"];
const unusual = ["\x1c", "\x85", "\xa0", "\u2028", "\u{feff}", "ß", "İ"];
const fragment = fc.constantFrom(...structure, ...values, ...unusual);
const noise = fc.array(fragment, { maxLength: 40 }).map((parts) => parts.join(""));
const line = fc.oneof(
  fc.constantFrom("[s]", "[t]", "[DEFAULT]", "", "# comment", "  ; comment", "  more", "\tmore = 2"),
  fc
    .tuple(fc.constantFrom("a", "b", "c", "d", "E"), fc.constantFrom("=", " = ", ": "), noise)
    .map(([key, delimiter, text]) => key + delimiter + text.replaceAll(/[\r\n]/g, "")),
);
const lines = fc.array(line, { maxLength: 12 }).map((parts) => `[s]\n${parts.join("\n")}`);

test("whatever the text, the result is that of Python's ConfigParser", async (t) => {
  if (!hasPython) {
    t.skip("needs python3");
    return;
  }
  using python = new Python();
  const files = fc.array(fc.oneof(noise, lines), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(files, async (texts) => {
      await compare(python, texts);
    }),
    { numRuns: 1500 },
  );
});

test("after a bad line the rest of the file is read", () => {
  const file = parseIni("stray\n[homcc]\nbad\n  its continuation\na = 1\na = 2\n[homcc]\nb = 3\n", "file");
  assert.deepEqual(
    file.errors.map(({ kind, line: number }) => [kind, number]),
    [
      ["missing-section", 1],
      ["syntax", 3],
      ["duplicate-key", 6],
      ["duplicate-section", 7],
    ],
  );
  const section = file.sections.get("homcc");
  assert.deepEqual([section?.get("a")?.raw, section?.get("b")?.raw, section?.get("b")?.line], ["1", "3", 8]);
});

test("values that refer to each other do not grow without bound", () => {
  const levels = Array.from({ length: 9 }, (_, level) => `k${level + 1} = ${`%(k${level})s`.repeat(40)}`);
  const merged = mergeIni([parseIni(`[s]\nk0 = x\n${levels.join("\n")}\n`, "file")]);
  assert.equal(readKey(merged, "s", "k1").kind, "value");
  assert.equal(readKey(merged, "s", "k9").kind, "error");
});
