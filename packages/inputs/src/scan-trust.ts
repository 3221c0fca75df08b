/** Files that a compiler reads and a scan did not have. */
export interface IncompleteScan {
  readonly source: string;
  /** Real paths; empty when the compiler gave no list. */
  readonly missing: readonly string[];
}

export type OnIncompleteScan = (scan: IncompleteScan) => void;

/** Whether the scanner is used for the compilations with the same compiler, language and options. */
export class ScanTrust {
  readonly #onIncomplete: OnIncompleteScan;
  #isKept = true;
  scans = 0;

  constructor(onIncomplete: OnIncompleteScan) {
    this.#onIncomplete = onIncomplete;
  }

  get isKept(): boolean {
    return this.#isKept;
  }

  /** For good: what is not understood once is likely not to be understood again. */
  lose(scan: IncompleteScan): void {
    this.#isKept = false;
    this.#onIncomplete(scan);
  }
}

/** A build has a handful. Past it those are forgotten that were not lost, and with them how often they were compared. */
const maxTrusts = 1_000;

export class ScanTrusts {
  readonly #onIncomplete: OnIncompleteScan;
  readonly #trusts = new Map<string, ScanTrust>();

  constructor(onIncomplete: OnIncompleteScan) {
    this.#onIncomplete = onIncomplete;
  }

  of(key: string): ScanTrust {
    const known = this.#trusts.get(key);
    if (known !== undefined) return known;
    if (this.#trusts.size >= maxTrusts) this.#forgetKept();
    const trust = new ScanTrust(this.#onIncomplete);
    this.#trusts.set(key, trust);
    return trust;
  }

  #forgetKept(): void {
    for (const [key, trust] of this.#trusts) if (trust.isKept) this.#trusts.delete(key);
  }
}
