import { ConnectError, type ConnectFailure } from "./connect-error.ts";
import { destinationOf, type SshRoute } from "./ssh-command.ts";

/** How far a connection through ssh came: not to a login, not to a forwarded port, not to a homccd. */
export type SshStage = "ssh" | "forward" | "homccd";

export class SshError extends ConnectError {
  readonly stage: SshStage;
  /** ssh was turned away: asking again changes nothing, and makes the server suspicious of this address. */
  readonly isTurnedAway: boolean;

  constructor(stage: SshStage, message: string, hint: string, more: Partial<SshErrorDetails> = {}) {
    super(more.failure ?? "unreachable", message, { hint });
    this.stage = stage;
    this.isTurnedAway = more.isTurnedAway ?? false;
  }
}

interface SshErrorDetails {
  readonly failure: ConnectFailure;
  readonly isTurnedAway: boolean;
}

/** ssh ended before it was logged in, and said `reason`. */
export function loginFailed(route: SshRoute, reason = "it ended without a word"): SshError {
  const shellWords = /^sh: (?:line )?\d+: (?:exec: )?(.+)$/.exec(reason)?.[1];
  if (shellWords !== undefined) {
    return new SshError(
      "ssh",
      `HOMCC_SSH_EXECUTABLE or ssh_executable: ${shellWords}`,
      "it names the program that connects; the default is ssh",
    );
  }
  const byHand = [route.executable, ...route.options, destinationOf(route)].join(" ");
  const known = cures.find(({ words }) => words.test(reason));
  const hint = known === undefined ? `does \`${byHand}\` work?` : known.cure(byHand);
  const isTurnedAway = known?.isTurnedAway ?? false;
  return new SshError("ssh", `ssh to ${destinationOf(route)}: ${reason}`, hint, { isTurnedAway });
}

/** What ssh's words ask for. Its texts are the same in every locale. */
const cures: readonly {
  readonly words: RegExp;
  readonly cure: (byHand: string) => string;
  readonly isTurnedAway?: boolean;
}[] = [
  {
    words: /host key/i,
    cure: (byHand) => `run \`${byHand}\` once, and accept its key if it is the right one`,
    isTurnedAway: true,
  },
  {
    words: /permission denied|too many authentication failures|no more authentication/i,
    cure: (byHand) =>
      `\`${byHand}\` has to log in without a question: by a key without passphrase, or by ssh-agent`,
    isTurnedAway: true,
  },
  {
    words: /could not resolve|name or service not known/i,
    cure: () => "check the spelling; a name of a VPN is known while the VPN is up",
  },
  {
    words: /connection refused/i,
    cure: () =>
      "no sshd listens there: the port of a hosts line is homccd's, sshd's belongs into HOMCC_SSH_OPTIONS or ~/.ssh/config",
  },
];

/** ssh is logged in and did not make the forward. */
export function forwardFailed(route: SshRoute, reason: string | undefined): SshError {
  const words = reason ?? "it ended without a word";
  return new SshError(
    "forward",
    `ssh to ${destinationOf(route)} is up and cannot forward port ${route.port}: ${words}`,
    "the ssh program has to be OpenSSH 6.7 or newer",
  );
}

/** A connection through the forward was refused with `refusal`. */
export function channelRefused(route: SshRoute, refusal: string): SshError {
  const connectFailed = /^connect failed: (.+)$/.exec(refusal)?.[1];
  const up = `ssh to ${destinationOf(route)} is up`;
  if (connectFailed !== undefined) {
    return new SshError(
      "homccd",
      `${up}, but nobody answers at port ${route.port} there: ${connectFailed}`,
      "is homccd running there? The port of a hosts line is homccd's, not sshd's",
    );
  }
  return new SshError(
    "forward",
    `${up}, but sshd there forwards nothing to port ${route.port}: ${refusal}`,
    "AllowTcpForwarding, PermitOpen and the options in authorized_keys there have to allow it",
  );
}

/** Nothing came of it in time; `isUp`: ssh was logged in. */
export function timedOut(route: SshRoute, isUp: boolean, timeoutMs: number): SshError {
  const time = `within ${timeoutMs / 1000} s`;
  return isUp
    ? new SshError(
        "homccd",
        `ssh to ${destinationOf(route)} is up, but what listens at port ${route.port} there did not answer ${time}`,
        "is it homccd, and does it run?",
        { failure: "timed-out" },
      )
    : new SshError(
        "ssh",
        `ssh to ${destinationOf(route)} was not up ${time}`,
        "is the VPN up, the machine on?",
        { failure: "timed-out" },
      );
}
