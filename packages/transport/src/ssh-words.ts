import { printable } from "@homcc/protocol/printable";

/** What `-v` adds, and the sums at the end: nothing that went wrong. */
const chatter =
  /^(?:debug\d: |OpenSSH_|Authenticated to |Authenticating to |Transferred: |Bytes per second: |Killed by signal)/;
const maxLineLength = 300;
const maxLines = 20;

/** What an ssh process says on its standard error, line by line. */
export class SshWords {
  #unfinished = "";
  readonly #lines: string[] = [];
  #refusedChannels: string[] = [];

  feed(text: string): void {
    const lines = `${this.#unfinished}${text}`.split(/[\r\n]+/);
    this.#unfinished = (lines.pop() ?? "").slice(-maxLineLength);
    for (const line of lines) this.#note(printable(line, maxLineLength).trim());
  }

  /** Why it could not go on: its last line, with what it says elsewhere about a host key that has changed. */
  get reason(): string | undefined {
    const lines = [...this.#lines, this.#unfinished].filter((line) => line !== "" && !chatter.test(line));
    const isChanged = lines.some((line) => line.includes("HOST IDENTIFICATION HAS CHANGED"));
    const last = lines.at(-1);
    return isChanged ? `the host key has changed: ${last}` : last;
  }

  /** Why the last connection through it was refused, if one was; asked once. */
  takeRefusal(): string | undefined {
    const last = this.#refusedChannels.at(-1);
    this.#refusedChannels = [];
    return last;
  }

  #note(line: string): void {
    const refusal = /^channel \d+: open failed: (.+)$/.exec(line)?.[1];
    if (refusal !== undefined) this.#refusedChannels = [refusal];
    else if (line !== "" && !chatter.test(line)) {
      this.#lines.push(line);
      if (this.#lines.length > maxLines) this.#lines.shift();
    }
  }
}
