import type { Place, Resolution } from "./include-search.ts";
import type { Effects } from "./effects.ts";
import type { Program } from "./program.ts";
import type { SourceRecord } from "./source-files.ts";

/** What one execution of a file did: done again wherever the same things would be read. */
export interface Memo<R extends SourceRecord> {
  readonly place: Place<R, Notes<R>>;
  readonly program: Program;
  readonly identity: string;
  readonly effects: Effects;
  readonly children: readonly Child<R>[];
  /** The arrival for which all of it was last found to hold. */
  heldAt: number;
  /** The last collection that it was part of. */
  collectedIn: number;
}

export interface FileContent {
  /** Of a file that is included. */
  readonly program: Program | undefined;
  /** As which file it counted. */
  readonly identity: string;
}

/** A name that was looked up. */
export interface Child<R extends SourceRecord> {
  readonly resolution: Resolution<R, Notes<R>>;
  /** What must be as it was of the file, where that matters. */
  readonly content: FileContent | undefined;
  /** `undefined` where the file was not gone through: it is only asked for, or was included before. */
  readonly memo: Memo<R> | undefined;
  /** Of a file that is asked for by `__has_embed`: whether it had no bytes. */
  readonly empty?: boolean;
}

/** What is known of a file at a place. */
export interface Notes<R extends SourceRecord> {
  program: Program | undefined;
  record: R | undefined;
  /** By which `#pragma once` and `#import` know it again. */
  identity: string;
  identitySymbol: number;
  /** Says that it was gone through. */
  seenSymbol: number;
  /** The arrival for which program and identity were last found to hold. */
  heldAt: number;
  /** The latest first. */
  memos: readonly Memo<R>[];
  /** What it contains, as those know it that include it. */
  content: FileContent | undefined;
}

const none: readonly never[] = [];

export function makeNotes<R extends SourceRecord>(): Notes<R> {
  return {
    program: undefined,
    record: undefined,
    identity: "",
    identitySymbol: -1,
    seenSymbol: -1,
    heldAt: 0,
    memos: none,
    content: undefined,
  };
}
