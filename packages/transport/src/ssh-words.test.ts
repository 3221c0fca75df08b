import assert from "node:assert/strict";
import { test } from "node:test";
import { channelRefused, forwardFailed, loginFailed } from "./ssh-error.ts";
import { SshWords } from "./ssh-words.ts";

function reasonIn(...texts: readonly string[]): string | undefined {
  const words = new SshWords();
  for (const text of texts) words.feed(text);
  return words.reason;
}

test("the reason is the last line that is no chatter, however it is cut", () => {
  const said =
    "OpenSSH_9.2p1, OpenSSL 3.0\r\ndebug1: Connecting to build [10.0.0.1] port 22.\r\n" +
    "Welcome to the machine\r\nme@build: Permission denied (publickey).\r\ndebug1: Exit status -1\r\n" +
    "Transferred: sent 1, received 2 bytes, in 0.1 seconds\r\nBytes per second: sent 1.0, received 2.0\r\n";
  assert.equal(reasonIn(said), "me@build: Permission denied (publickey).");
  assert.equal(reasonIn(...Array.from(said)), "me@build: Permission denied (publickey).");
  assert.equal(reasonIn("no line end"), "no line end");
  assert.equal(reasonIn("debug1: nothing\n"), undefined);
  assert.equal(reasonIn(), undefined);
});

test("what a server makes ssh say cannot control a terminal, and is not kept without bound", () => {
  assert.equal(reasonIn("\u001b[2Jbad\u0007\n"), "[2Jbad");
  assert.equal(reasonIn(`${"x".repeat(5000)}\n`)?.length, 300);
  assert.equal(reasonIn("y".repeat(100_000))?.length, 300);
});

test("a host key that has changed is told from one that is unknown", () => {
  const failed = "Host key verification failed.\r\n";
  const box = `@@@@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@@@@@\n`;
  assert.equal(reasonIn(failed), "Host key verification failed.");
  assert.equal(reasonIn(box, "It is also possible\n", failed), `the host key has changed: ${failed.trim()}`);
});

test("a refused connection is asked for once, and is no reason of ssh's end", () => {
  const words = new SshWords();
  words.feed("channel 2: open failed: connect failed: Connection refused\r\n");
  assert.equal(words.reason, undefined);
  assert.equal(words.takeRefusal(), "connect failed: Connection refused");
  assert.equal(words.takeRefusal(), undefined);
});

const route = { user: "me", name: "build", port: 3126, executable: "ssh", options: ["-p", "22"] };

test("each reason has a cure; only a login that was turned away is not repeated", () => {
  const cases: readonly (readonly [string | undefined, RegExp, RegExp, boolean])[] = [
    ["Host key verification failed.", /^ssh to me@build: Host key/, /run `ssh -p 22 me@build` once/, true],
    ["me@build: Permission denied (publickey).", /Permission denied/, /without a question/, true],
    ["Received disconnect: Too many authentication failures", /Too many/, /without a question/, true],
    ["ssh: Could not resolve hostname build: x", /resolve/, /check the spelling/, false],
    ["ssh: connect to host build port 22: Connection refused", /refused/, /no sshd listens there/, false],
    ["Connection closed by 10.0.0.1 port 22", /closed/, /does `ssh -p 22 me@build` work\?/, false],
    [undefined, /^ssh to me@build: it ended without a word$/, /does `ssh/, false],
    [
      "sh: 2: ssh9: not found",
      /^HOMCC_SSH_EXECUTABLE or ssh_executable: ssh9: not found$/,
      /default is ssh/,
      false,
    ],
    ["sh: line 1: /x: Permission denied", /ssh_executable: \/x: Permission denied$/, /default is ssh/, false],
  ];
  for (const [words, message, hint, isTurnedAway] of cases) {
    const error = loginFailed(route, words);
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
    assert.deepEqual([error.stage, error.isTurnedAway], ["ssh", isTurnedAway], words);
  }
});

test("a connection that is refused behind ssh: by the system there, or by sshd's rules", () => {
  const byHomccd = channelRefused(route, "connect failed: Connection refused");
  assert.equal(byHomccd.stage, "homccd");
  assert.match(byHomccd.message, /nobody answers at port 3126 there: Connection refused$/);
  const byRules = channelRefused(route, "administratively prohibited: open failed");
  assert.equal(byRules.stage, "forward");
  assert.match(byRules.hint ?? "", /AllowTcpForwarding/);
  assert.match(forwardFailed(route, undefined).message, /cannot forward port 3126: it ended without a word/);
});
