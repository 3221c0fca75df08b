import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
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

/** A Python that reads files, as long as the tests run. */
export class Python implements Disposable {
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

export const hasPython: boolean = spawnSync("python3", ["--version"]).status === 0;

/** Checks that `parseIni`, `mergeIni` and `readKey` give what Python gives. */
export async function compareWithPython(python: Python, texts: readonly string[]): Promise<void> {
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
