/** Calls `onIdle` once nothing was busy for `idleTimeoutMs`. */
export class IdleWatch {
  /** The latest job's wish; counts from the next time that nothing is busy. */
  idleTimeoutMs: number;
  readonly #onIdle: () => void;
  #busyCount = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(idleTimeoutMs: number, onIdle: () => void) {
    this.idleTimeoutMs = idleTimeoutMs;
    this.#onIdle = onIdle;
    this.#arm();
  }

  /** Something runs until the returned object is disposed. */
  busy(): Disposable {
    this.#busyCount += 1;
    clearTimeout(this.#timer);
    let isBusy = true;
    return {
      [Symbol.dispose]: () => {
        if (!isBusy) return;
        isBusy = false;
        this.#busyCount -= 1;
        if (this.#busyCount === 0) this.#arm();
      },
    };
  }

  #arm(): void {
    this.#timer = setTimeout(this.#onIdle, this.idleTimeoutMs);
  }
}
