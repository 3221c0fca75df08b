import { setTimeout as delay } from "node:timers/promises";
import type { FileDigests } from "@homcc/inputs/file-digests";
import { type Clock, systemClock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import { asksForTime } from "./asks-for-time.ts";
import { compareAnswers, type Difference } from "./comparison.ts";
import { CannotRunApart, type LocalAnswer } from "./local-run.ts";
import type { AuditSubject } from "./subject.ts";
import { changedInput } from "./unchanged-inputs.ts";

/** What an audit found. */
export type AuditVerdict =
  /** `varying`: in what two compiles here differ from each other, and which therefore says nothing. */
  | { readonly kind: "identical"; readonly varying: readonly string[] }
  | { readonly kind: "different"; readonly differences: readonly Difference[] }
  /** The compile here was not the same one: something changed meanwhile. */
  | { readonly kind: "void"; readonly why: string }
  /** This command cannot be compiled apart on this machine. */
  | { readonly kind: "impossible"; readonly why: string };

export interface AuditTools {
  readonly run: (subject: AuditSubject, signal: AbortSignal) => Promise<LocalAnswer>;
  readonly digests: Pick<FileDigests, "record" | "read">;
  /** The digest of the toolchain that the subject's driver has now. */
  readonly toolchainOf: (subject: AuditSubject) => Promise<string>;
  readonly clock?: Clock;
}

/**
 * Compiles the subject here and compares everything. What differs is compiled a second time: gcc's `--coverage`, `-flto` and
 * `-fprofile-*` give other bytes each time, and a clock macro each second. `keep` gets the answer of a compile that differs
 * before its files are removed. Rejects only when `signal` is aborted, and for bugs.
 */
export async function audit(
  subject: AuditSubject,
  tools: AuditTools,
  signal: AbortSignal,
  keep: (answer: LocalAnswer, differences: readonly Difference[]) => Promise<void> = async () => {},
): Promise<AuditVerdict> {
  try {
    const before = await whyVoid(subject, tools);
    if (before !== undefined) return { kind: "void", why: before };
    await using first = await tools.run(subject, signal);
    const after = await whyVoid(subject, tools);
    if (after !== undefined) return { kind: "void", why: after };
    const { terminal } = subject.action;
    const differences = await compareAnswers(subject.answer, first, terminal);
    if (differences.length === 0) return { kind: "identical", varying: [] };
    await nextSecond(tools.clock ?? systemClock, signal);
    await using second = await tools.run(subject, signal);
    const atEnd = await whyVoid(subject, tools);
    if (atEnd !== undefined) return { kind: "void", why: atEnd };
    const varying = new Set(
      (await compareAnswers(first, second, terminal)).map((difference) => difference.of),
    );
    const left = differences.filter((difference) => !varying.has(difference.of));
    if (left.length === 0) return { kind: "identical", varying: [...varying] };
    if (left.every(({ isContent }) => isContent) && (await asksForTime(subject.action, tools.digests)))
      return { kind: "void", why: "the source asks for the time" };
    await keep(first, left);
    return { kind: "different", differences: left };
  } catch (error) {
    if (error instanceof CannotRunApart) return { kind: "impossible", why: describeError(error) };
    throw error;
  }
}

async function whyVoid(subject: AuditSubject, tools: AuditTools): Promise<string | undefined> {
  const changed = await changedInput(subject.action, tools.digests);
  if (changed !== undefined) return `${changed} changed`;
  const toolchain = await tools.toolchainOf(subject).catch(describeError);
  return toolchain === subject.action.toolchain ? undefined : "the compiler changed";
}

/** So that two compiles do not agree on `__TIME__` for being quick. */
async function nextSecond(clock: Clock, signal: AbortSignal): Promise<void> {
  await delay(1000 - (clock.wallMs() % 1000), undefined, { signal });
}
