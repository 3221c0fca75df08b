const colon = 0x3a;

/** All time zones are whole quarters of an hour away from each other. */
const quarterSeconds = 900;

/** Bytes of a character in narrow and wide texts. */
const widths = [1, 2, 4];

/**
 * Finds what `__TIME__` gave to a compile that ran some time between two moments, in whatever time zone it was: a macro may
 * have pasted that word together. 1 ms for 1 MB.
 */
export class ClockTraces {
  readonly #from: number;
  readonly #seconds: number;

  constructor(fromMs: number, untilMs: number) {
    this.#from = Math.floor(fromMs / 1000);
    this.#seconds = Math.floor(untilMs / 1000) - this.#from;
  }

  isIn(bytes: Uint8Array): boolean {
    for (let at = bytes.indexOf(colon); at >= 0; at = bytes.indexOf(colon, at + 1)) {
      if (widths.some((width) => bytes[at + 3 * width] === colon && this.#isTime(bytes, at, width)))
        return true;
    }
    return false;
  }

  /** `at`: of the first colon. */
  #isTime(bytes: Uint8Array, at: number, width: number): boolean {
    const hours = twoDigits(bytes, at - 2 * width, width);
    const minutes = twoDigits(bytes, at + width, width);
    const seconds = twoDigits(bytes, at + 4 * width, width);
    if (!(hours < 24 && minutes < 60 && seconds <= 60)) return false;
    const sinceStart = (minutes * 60 + seconds - this.#from) % quarterSeconds;
    return (sinceStart + quarterSeconds) % quarterSeconds <= this.#seconds;
  }
}

/** NaN where there are none. */
function twoDigits(bytes: Uint8Array, at: number, width: number): number {
  const [tens, ones] = [digit(bytes[at]), digit(bytes[at + width])];
  return 10 * tens + ones;
}

function digit(byte = 0): number {
  return byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : Number.NaN;
}
