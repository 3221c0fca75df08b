import type { Administration } from "./administration.ts";
import type { OfferedSandbox } from "./offers.ts";
import type { SchrootAccount } from "./schroot-account.ts";
import { listed, unavailable } from "./unavailable.ts";

/** What of a profile's configuration matters here. */
export interface SchrootProfile {
  readonly name: string;
  readonly type: string;
  /**
   * The root itself, for profiles that are a folder of this machine; jobs can be laid over it. A union over it is what each
   * session writes to, and begins empty.
   */
  readonly directory: string | undefined;
  /** The whole configuration as schroot prints it: another text means another environment. */
  readonly text: string;
}

/** The schroot of this machine. It decides itself whom it lets into a profile. */
export class Schroot {
  readonly program: string;
  readonly #administration: Administration;
  /** Sessions of this homccd are called by it, so that those a crash left are known. */
  readonly #sessionPrefix: string;
  #nextSession = 1;

  constructor(program: string, administration: Administration, tag: string) {
    this.program = program;
    this.#administration = administration;
    this.#sessionPrefix = `homccd-${tag}-`;
  }

  async profiles(): Promise<string[]> {
    const { stdout } = await this.#administration.ask(this.program, ["--list", "--all-chroots"]);
    return namesIn(stdout, "chroot");
  }

  /** The profiles and other names of them, and which of them schroot does not let the account into. */
  async offers(account: SchrootAccount): Promise<OfferedSandbox[]> {
    const answer = await this.#administration.list(this.program, ["--config", "--all-chroots"]);
    if (answer.status !== 0) {
      const [line = ""] = answer.complaint.replace(/^E: /, "").split("\n", 1);
      throw unavailable(`schroot does not tell homccd its profiles: ${line}`);
    }
    return answer.stdout.split(/^(?=\[)/m).flatMap((text) => {
      const name = /^\[(.+)\]$/m.exec(text)?.[1];
      if (name === undefined) return [];
      const problem = mayEnter(text, account) ? {} : { problem: `its users= does not name ${account.name}` };
      return [name, ...wordsOf(text, "aliases")].map((each) => ({ name: each, ...problem }));
    });
  }

  async profile(name: string): Promise<SchrootProfile> {
    const answer = await this.#administration.ask(this.program, ["--config", "--chroot", `chroot:${name}`]);
    if (answer.status !== 0) throw this.#refusal(name, answer.complaint);
    const text = answer.stdout.replace(/^#.*\n/, "");
    const valueOf = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1] ?? "";
    const type = valueOf("type");
    const isFolder = type === "directory" || type === "plain";
    const directory = valueOf("directory");
    return { name, type, directory: isFolder && directory !== "" ? directory : undefined, text };
  }

  /** Rejects when schroot does not let homccd's account in, or the profile's set-up fails. */
  async visit(name: string): Promise<void> {
    const args = ["--chroot", `chroot:${name}`, "--directory", "/", "--", "/bin/true"];
    const answer = await this.#administration.ask(this.program, args);
    if (answer.status !== 0) throw this.#refusal(name, answer.complaint);
  }

  /** Begins a session and gives its name. It lasts until `end`, also when homccd dies. */
  async begin(name: string): Promise<string> {
    const session = `${this.#sessionPrefix}${process.pid}-${this.#nextSession++}`;
    const args = ["--begin-session", "--chroot", `chroot:${name}`, "--session-name", session];
    const answer = await this.#administration.ask(this.program, args);
    if (answer.status === 0) return session;
    await this.end(session); // a set-up that failed half-way leaves one
    throw this.#refusal(name, answer.complaint);
  }

  /** The folder of this machine that is a session's root; `undefined` when it does not say. */
  async location(session: string): Promise<string | undefined> {
    const answer = await this.#administration.ask(this.program, [
      "--location",
      "--chroot",
      `session:${session}`,
    ]);
    const path = answer.stdout.trim();
    return answer.status === 0 && path.startsWith("/") ? path : undefined;
  }

  async end(session: string): Promise<void> {
    const args = ["--end-session", "--force", "--chroot", `session:${session}`];
    await this.#administration.ask(this.program, args);
  }

  /** Ends the sessions that an earlier homccd with the same tag did not end. */
  async endLeftovers(): Promise<string[]> {
    const { stdout } = await this.#administration.ask(this.program, ["--list", "--all-sessions"]);
    const left = namesIn(stdout, "session").filter((name) => name.startsWith(this.#sessionPrefix));
    for (const session of left) await this.end(session);
    return left;
  }

  /** The words before a program that is to run in a session, or in a profile that knows no sessions. */
  commandIn(place: { readonly session: string } | { readonly profile: string }): string[] {
    const words =
      "session" in place
        ? ["--run-session", "--chroot", `session:${place.session}`]
        : ["--chroot", `chroot:${place.profile}`];
    return [...words, "--directory", "/", "--"];
  }

  #refusal(name: string, complaint: string): Error {
    const text = complaint.replaceAll(/^E: /gm, "").split("\n", 1)[0] ?? "";
    if (/not authori[sz]ed|[Aa]ccess denied|[Pp]ermission denied/.test(complaint)) {
      const hint = `write users=${accountName()} into its section of schroot.conf`;
      return unavailable(`schroot does not let homccd's account into profile ${name}: ${text}`, hint);
    }
    const hint = `schroot -c ${name} -- true, as homccd's account, shows it on the server`;
    return unavailable(`schroot profile ${name} cannot be entered: ${text}`, hint);
  }
}

function mayEnter(section: string, { name, isRoot, groups }: SchrootAccount): boolean {
  const users = [...wordsOf(section, "users"), ...wordsOf(section, "root-users")];
  const lists = new Set([...wordsOf(section, "groups"), ...wordsOf(section, "root-groups")]);
  return isRoot || users.includes(name) || groups.some((group) => lists.has(group));
}

/** The members of a list of a section. */
function wordsOf(section: string, key: string): string[] {
  const value = new RegExp(`^${key}=(.*)$`, "m").exec(section)?.[1] ?? "";
  return value.split(",").filter((word) => word !== "");
}

/** `chroot:jammy` lines; also in the versions that print more on a line. */
function namesIn(text: string, namespace: string): string[] {
  return Array.from(text.matchAll(new RegExp(`^${namespace}:(\\S+)`, "gm")), ([, name = ""]) => name);
}

function accountName(): string {
  return process.env["USER"] ?? `the account with number ${process.getuid?.()}`;
}

/** Why a profile that schroot does not list cannot be used. */
export function unknownProfile(name: string, known: readonly string[]): Error {
  const hint = "profiles are sections of /etc/schroot/schroot.conf and files in /etc/schroot/chroot.d";
  return unavailable(`no schroot profile '${name}' on this server; ${listed(known)}`, hint);
}
