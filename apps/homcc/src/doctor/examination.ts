/** Collects what the doctor finds and prints it as it comes: a step may take as long as a connection's time-out. */
export class Examination {
  readonly #print: (text: string) => void;
  #problems = 0;

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /** Begins with what the findings after it are about. */
  section(title: string): void {
    this.#print(`${title}\n`);
  }

  ok(text: string): void {
    this.#line("ok", text);
  }

  /** Worth knowing, and no reason to do anything. */
  note(text: string): void {
    this.#line("note", text);
  }

  /** Something is wrong: `cure` is what to do about it. */
  problem(text: string, cure: string): void {
    this.#problems += 1;
    this.#line("PROBLEM", text);
    this.#line("", `what to do: ${cure}`);
  }

  /** The steps that come after this one could not be looked at. */
  stop(step: string, unseen: string): void {
    this.#line("stopped", `at ${step}; not looked at: ${unseen}`);
  }

  /** Prints the end. Gives the exit status. */
  finish(): number {
    const count = this.#problems === 1 ? "1 problem" : `${this.#problems} problems`;
    this.#print(this.#problems === 0 ? "All is well.\n" : `${count}.\n`);
    return this.#problems === 0 ? 0 : 1;
  }

  #line(level: string, text: string): void {
    const [first = "", ...rest] = text.split("\n");
    this.#print(`  ${level.padEnd(8)} ${first}\n`);
    for (const line of rest) this.#print(`  ${" ".repeat(8)} ${line}\n`);
  }
}
