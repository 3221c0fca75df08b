import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Language } from "@homcc/compiler/compilation";
import { StampedPaths } from "@homcc/compiler/stamped-paths";
import type { LanguageFacts, Question } from "@homcc/scanner/language-facts";
import { askCompiler } from "./compiler-questions.ts";
import type { DiscoveryContext } from "./include-finder.ts";

/** Names that compilers count as defined and do not list among the predefined. */
const builtinNames = [
  "__FILE__",
  "__LINE__",
  "__DATE__",
  "__TIME__",
  "__COUNTER__",
  "__INCLUDE_LEVEL__",
  "__BASE_FILE__",
  "__FILE_NAME__",
  "__TIMESTAMP__",
  "__has_include",
  "__has_include_next",
  "__has_embed",
  "__has_attribute",
  "__has_cpp_attribute",
  "__has_c_attribute",
  "__has_declspec_attribute",
  "__has_builtin",
  "__has_constexpr_builtin",
  "__has_feature",
  "__has_extension",
  "__has_warning",
  "__is_identifier",
  "__is_target_arch",
  "__is_target_vendor",
  "__is_target_os",
  "__is_target_environment",
  "__is_target_variant_os",
  "__is_target_variant_environment",
  "__building_module",
  "__MODULE__",
];

/** What the compiler makes of these lines says how it reads all others. */
const dialectQuestions = `#if '??-' == '~'
homcc_trigraphs
#endif
%:define homcc_digraph
#ifdef homcc_digraph
homcc_digraphs
#endif
#define R 1
homcc_raw R"()"
#undef R
#if 0 //**/2 + 1
#else
homcc_line_comments
#endif
#if 0
#elifndef homcc_nothing
homcc_elifdef
#endif
#ifdef __cplusplus
homcc_cplusplus
#endif
`;

interface Known {
  readonly facts: Promise<LanguageFacts | undefined>;
  readonly compiler: StampedPaths;
}

const maxKnown = 200;

/** Asks compilers about their language, once for all compilations with the same options. */
export class LanguageFactsCache {
  readonly #known = new Map<string, Known>();

  /** `undefined` when the compiler does not say. `args` are without macros, forced includes and search folders. */
  async of(
    args: readonly string[],
    language: Language,
    context: DiscoveryContext,
  ): Promise<LanguageFacts | undefined> {
    // Compilers find their configuration by these.
    const variables = ["PATH", "HOME", "SOURCE_DATE_EPOCH"].map((name) => context.environment[name]);
    const key = JSON.stringify([
      context.compilerPath,
      context.toolchain,
      language,
      context.cwd,
      args,
      variables,
    ]);
    const known = this.#known.get(key);
    if (known?.compiler.unchanged() === true) {
      const facts = await known.facts.catch(() => undefined);
      if (facts !== undefined) return facts;
    }
    const compiler = new StampedPaths();
    compiler.add(context.compilerPath);
    const asked = ask([...args, "-nostdinc", "-x", language], context);
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(key, { facts: asked, compiler });
    const facts = await asked.catch((error: unknown) => {
      this.#known.delete(key);
      throw error;
    });
    if (facts === undefined) this.#known.delete(key);
    return facts;
  }
}

async function ask(args: readonly string[], context: DiscoveryContext): Promise<LanguageFacts | undefined> {
  const [predefined, dialect] = await Promise.all([
    askCompiler([...args, "-dM", "-E", "/dev/null"], context),
    preprocess(`${builtinNames.map(nameQuestion).join("")}${dialectQuestions}`, args, context),
  ]);
  const said = new Set(dialect.match(/\bhomcc_\w+/g));
  const builtins = builtinNames.filter((name) => said.has(`homcc_has${name}`));
  const isComplete = builtins.includes("__LINE__") && said.has("homcc_raw");
  if (predefined.status !== 0 || !isComplete) return undefined;
  return {
    predefined: predefined.stdout,
    builtins,
    dialect: {
      trigraphs: said.has("homcc_trigraphs"),
      digraphs: said.has("homcc_digraphs"),
      rawStrings: /homcc_raw R"/.test(dialect),
      lineComments: said.has("homcc_line_comments"),
    },
    cplusplus: said.has("homcc_cplusplus"),
    elifdef: said.has("homcc_elifdef"),
    // Others wait for the answers too, whatever becomes of the job that asked first.
    ask: (questions) => answer(questions, args, { ...context, signal: new AbortController().signal }),
  };
}

function nameQuestion(name: string): string {
  return `#ifdef ${name}\nhomcc_has${name}\n#endif\n`;
}

/** One process for all; a question that the compiler does not understand has no answer. */
async function answer(
  questions: readonly Question[],
  args: readonly string[],
  context: DiscoveryContext,
): Promise<(number | undefined)[]> {
  const lines = questions.map(({ name, operand }, index) => `homcc_${index} ${name}(${operand}) homcc_end\n`);
  const text = await preprocess(lines.join(""), args, context).catch(() => "");
  const answers = new Map(
    [...text.matchAll(/homcc_(\d+)\s+(\d+)[lLuU]*\s+homcc_end/g)].map(([, index, value]) => [
      Number(index),
      Number(value),
    ]),
  );
  return questions.map((_, index) => answers.get(index));
}

/** The text as the compiler leaves it, or what there is of it. */
async function preprocess(text: string, args: readonly string[], context: DiscoveryContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-question-"));
  try {
    const file = join(folder, "question");
    await writeFile(file, text);
    return (await askCompiler([...args, "-E", "-P", file], context)).stdout.toString("latin1");
  } finally {
    await rm(folder, { recursive: true });
  }
}
