/** A scan cannot go on at once: it is undone, something happens, and it runs again, quickly up to where it was. */
export class Interruption extends Error {
  readonly needed: () => Promise<unknown>;

  constructor(needed: () => Promise<unknown>) {
    super("interrupted");
    this.needed = needed;
  }
}
