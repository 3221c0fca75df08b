import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { test } from "node:test";
import * as fc from "fast-check";
import { cutHosts } from "./host-text.ts";
import { parseHosts } from "./hosts.ts";
import { compressions } from "./values.ts";

function summary(text: string): unknown[] {
  return parseHosts(text, "hosts").hosts.map(({ name, port, limit, compression }) => [
    name,
    port,
    limit,
    compression,
  ]);
}

test("every form of a host", () => {
  const forms: readonly (readonly [string, string, number, number, string | undefined])[] = [
    ["remotehost", "remotehost", 3126, 2, undefined],
    ["build-01_a.example.org.", "build-01_a.example.org.", 3126, 2, undefined],
    ["remotehost:80", "remotehost", 80, 2, undefined],
    ["remotehost/12", "remotehost", 3126, 12, undefined],
    ["remotehost,lzo", "remotehost", 3126, 2, "lzo"],
    ["192.168.0.1:3126/21,LZMA", "192.168.0.1", 3126, 21, "lzma"],
    ["[FC00::1]", "FC00::1", 3126, 2, undefined],
    ["[FC00::1]/4", "FC00::1", 3126, 4, undefined],
    ["[FC00::1]:65535/4,no_compression", "FC00::1", 65_535, 4, "no_compression"],
    ["FC00::1", "FC00::1", 3126, 2, undefined],
    ["FC00::1/3,lzo", "FC00::1", 3126, 3, "lzo"],
    ["FC00::1:3126", "FC00::1:3126", 3126, 2, undefined],
    ["fe80::1%eth0/3", "fe80::1%eth0", 3126, 3, undefined],
    ["never/0", "never", 3126, 0, undefined],
    ["Localhosts", "Localhosts", 3126, 2, undefined],
  ];
  for (const [text, ...host] of forms) assert.deepEqual(summary(text), [host], text);
});

test("blanks separate hosts and mean nothing next to / , : #", () => {
  assert.deepEqual(summary(" a / 3 , lzo\tb : 81 /4 c#d\n\n  # e\ng /5 10.0.0.1 ::1 [::2] : 9\r\n"), [
    ["a", 3126, 3, "lzo"],
    ["b", 81, 4, undefined],
    ["c", 3126, 2, undefined],
    ["g", 3126, 5, undefined],
    ["10.0.0.1", 3126, 2, undefined],
    ["::1", 3126, 2, undefined],
    ["::2", 9, 2, undefined],
  ]);
});

test("a bad host is named with line, column and what is allowed; the others count", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["a:65536", "1:3", "a port from 1 to 65535"],
    ["a:0", "1:3", "a port from 1 to 65535"],
    ["a:", "1:3", "a port from 1 to 65535"],
    ["\n  a: b", "2:6", "a port from 1 to 65535"],
    ["a/", "1:3", "a limit from 0 to 100000"],
    ["a/x", "1:3", "a limit from 0 to 100000"],
    ["a/-1", "1:3", "a limit from 0 to 100000"],
    ["a/2/3", "1:3", "a limit from 0 to 100000"],
    ["a,", "1:3", "lzo, lzma, no_compression"],
    ["a,zip", "1:3", "lzo, lzma, no_compression"],
    ["a,lzo,lzo", "1:7", "HOST, HOST:PORT"],
    ["a,tls,lzo,tls", "1:11", "HOST, HOST:PORT"],
    ["a,tls=1", "1:3", "key=FINGERPRINT, tls"],
    ["a,key=", "1:7", "the 43 letters"],
    ["a,key=abc", "1:7", "the 43 letters"],
    [`a,key=${"a".repeat(42)}!`, "1:7", "the 43 letters"],
    ["a,tls/3", "1:6", "HOST/LIMIT,COMPRESSION"],
    ["me@a,tls", "1:3", "SSH protects it already"],
    ["a,lzo/3", "1:6", "HOST/LIMIT,COMPRESSION"],
    ["/3", "1:1", "HOST, HOST:PORT"],
    [":3126", "1:1", "HOST, HOST:PORT"],
    ["a$b", "1:2", "letters, digits"],
    ["bücher", "1:2", "letters, digits"],
    ["-a", "1:1", "letters, digits"],
    ["a..b", "1:1", "letters, digits"],
    ["256.1.1.1", "1:1", "four numbers"],
    ["[::1", "1:5", "[IPV6]:PORT"],
    ["[a]", "1:2", "[IPV6]:PORT"],
    ["[::1]3", "1:6", "[IPV6]:PORT"],
    ["1::2::3", "1:1", "[IPV6]:PORT"],
    ["a:1:2", "1:1", "[IPV6]:PORT"],
    ["tcp://a", "1:6", "a limit"],
  ];
  for (const [text, place, allowed] of cases) {
    const { hosts, problems } = parseHosts(`${text}\nafter`, "/x/hosts");
    assert.deepEqual(
      hosts.map(({ name }) => name),
      ["after"],
      text,
    );
    assert.equal(problems.length, 1, text);
    assert.equal(problems[0]?.severity, "error");
    assert.equal(problems[0]?.source, `/x/hosts:${place}`, text);
    assert.ok(
      problems[0]?.hint.startsWith(`allowed: `) && problems[0].hint.includes(allowed),
      problems[0]?.hint,
    );
  }
});

test("localhost is no server: its limit counts, and of several lines the last", () => {
  assert.equal(parseHosts("a", "hosts").localhostLimit, undefined);
  assert.equal(parseHosts("localhost", "hosts").localhostLimit, 2);
  assert.equal(parseHosts("LocalHost/0", "hosts").localhostLimit, 0);
  const { hosts, localhostLimit, problems, hostLines } = parseHosts(
    "localhost/7\na\nlocalhost:99/5",
    "hosts",
  );
  assert.deepEqual([hosts.length, localhostLimit], [1, 5]);
  assert.deepEqual(
    problems.map(({ severity, source }) => `${severity} ${source}`),
    ["warning hosts:3:1", "warning hosts:3:1"],
  );
  assert.deepEqual(hostLines, ["localhost/7", "a", "localhost:99/5"]);
});

test("a host with @ is reached through SSH, also when it is this machine; its port is homccd's", () => {
  const forms: readonly (readonly [string, string, string, number, number, string | undefined])[] = [
    ["user@remote", "user", "remote", 3126, 2, undefined],
    ["@remote:33/4,lzo", "", "remote", 33, 4, "lzo"],
    ["first.last-2@[::1]:4", "first.last-2", "::1", 4, 2, undefined],
    ["@fe80::1%eth0/0", "", "fe80::1%eth0", 3126, 0, undefined],
    ["@localhost/3", "", "localhost", 3126, 3, undefined],
    ["me@LocalHost", "me", "LocalHost", 3126, 2, undefined],
  ];
  const ssh = { executable: "/opt/ssh", options: ["-4"], controlPersistMs: 5, environment: { A: "b" } };
  for (const [text, user, name, port, limit, compression] of forms) {
    const parsed = parseHosts(text, "hosts", { ssh });
    assert.deepEqual([parsed.problems, parsed.hostLines, parsed.localhostLimit], [[], [text], undefined]);
    const expected = { name, port, limit, compression, ssh: { ...ssh, user }, text, source: "hosts:1:1" };
    assert.deepEqual(parsed.hosts, [expected]);
  }
  for (const text of ["user@", "-oProxyCommand@remote", "a@b@remote", "a b@remote", "a:b@remote"]) {
    const { hosts, problems } = parseHosts(text, "hosts");
    assert.ok(
      hosts.every((host) => host.ssh === undefined || host.text === "b@remote"),
      text,
    );
    assert.equal(problems.length, text === "a b@remote" ? 0 : 1, text);
  }
  assert.match(parseHosts("user@", "hosts").problems[0]?.message ?? "", /the host is missing/);
});

test("one machine through SSH and directly, or as two users, are two servers", () => {
  const { hosts, problems } = parseHosts("a @a me@a you@A @a:1 me@A", "hosts");
  assert.deepEqual(
    hosts.map(({ text }) => text),
    ["a", "@a", "me@a", "you@A", "@a:1"],
  );
  assert.deepEqual(
    problems.map(({ message }) => message),
    ["'me@A' is listed twice and counts once"],
  );
});

test("a server that is listed twice counts once", () => {
  const { hosts, problems } = parseHosts("a/3\nA:3126/4\na:1", "hosts");
  assert.deepEqual(
    hosts.map(({ text }) => text),
    ["a/3", "a:1"],
  );
  assert.equal(problems[0]?.source, "hosts:2:1");
});

const name = fc
  .stringMatching(/^[a-z][a-z0-9_-]{0,10}(\.[a-z0-9_-]{1,5}){0,2}$/)
  .filter((text) => text !== "localhost");
const address = fc.oneof(
  name.map((text) => ({ text, name: text, takesPort: true })),
  fc.ipV4().map((text) => ({ text, name: text, takesPort: true })),
  fc
    .ipV6()
    .filter(isIPv6)
    .map((text) => ({ text: `[${text}]`, name: text, takesPort: true })),
  fc
    .ipV6()
    .filter(isIPv6)
    .map((text) => ({ text, name: text, takesPort: false })),
);
const host = fc
  .record({
    address,
    port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
    limit: fc.option(fc.integer({ min: 0, max: 999 }), { nil: undefined }),
    compression: fc.option(fc.constantFrom(...compressions), { nil: undefined }),
  })
  .map((parts) => (parts.address.takesPort ? parts : { ...parts, port: undefined }));

test("what is written is what is read", () => {
  const blank = fc.constantFrom("", "", " ", "\t ");
  fc.assert(
    fc.property(
      fc.uniqueArray(host, { maxLength: 6, selector: (one) => `${one.address.name} ${one.port ?? 3126}` }),
      fc.array(blank, { minLength: 6, maxLength: 6 }),
      fc.constantFrom(" ", "\n", "\r\n", "  # comment, a/b:c\n"),
      (hosts, blanks, separator) => {
        const [b0, b1, b2, b3, b4, b5] = blanks;
        const text = hosts
          .map(({ address: { text: where }, port, limit, compression }) =>
            [
              where,
              port === undefined ? "" : `${b0}:${b1}${port}`,
              limit === undefined ? "" : `${b2}/${b3}${limit}`,
              compression === undefined ? "" : `${b4},${b5}${compression}`,
            ].join(""),
          )
          .join(separator);
        const parsed = parseHosts(text, "hosts");
        assert.deepEqual(parsed.problems, []);
        assert.deepEqual(
          parsed.hosts.map(({ name: host_, port, limit, compression }) => [host_, port, limit, compression]),
          hosts.map((one) => [one.address.name, one.port ?? 3126, one.limit ?? 2, one.compression]),
        );
      },
    ),
  );
});

test("no text makes the parser throw, and every problem points into the text", () => {
  const parts = fc.constantFrom(
    ..."ab1.:/,[]@#-% \t\nü".split(""),
    "::",
    "localhost",
    "lzo",
    "3126",
    "\u{1f600}",
  );
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 30 }), (characters) => {
      const text = characters.join("");
      const lines = text.split("\n");
      for (const { source } of parseHosts(text, "hosts").problems) {
        const [, line = 0, column = 0] = source.split(":").map(Number);
        assert.ok(line >= 1 && line <= lines.length, source);
        assert.ok(column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1, source);
      }
      for (const cut of cutHosts(text)) assert.doesNotMatch(cut.text, /[\s#]/);
    }),
    { numRuns: 2000 },
  );
});

test("a server may have to prove who it is, by a pool's key or by its name", () => {
  const key = "Ab_-".repeat(10) + "xyz";
  const tls = { folders: ["/home/me/.homcc"], certificate: "/c.pem", key: undefined, authorities: "/ca.pem" };
  const { hosts, problems } = parseHosts(`a:1/3,key=${key} b , tls\n[::1]/4,lzo,key=${key} c`, "hosts", {
    tls,
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    hosts.map(({ name, limit, compression, tls: demanded }) => [name, limit, compression, demanded]),
    [
      ["a", 3, undefined, { ...tls, kind: "pool", fingerprint: key }],
      ["b", 2, undefined, { ...tls, kind: "authority" }],
      ["::1", 4, "lzo", { ...tls, kind: "pool", fingerprint: key }],
      ["c", 2, undefined, undefined],
    ],
  );
});

test("no other line makes a server less trusted, wherever it stands", () => {
  const [key, other] = ["a".repeat(43), "b".repeat(43)];
  for (const [text, used] of [
    [`a a,key=${key}`, `a,key=${key}`],
    [`a,key=${key} a`, `a,key=${key}`],
    [`a,key=${key} a,key=${other}`, `a,key=${key}`],
    [`a/4 A:3126/2,tls a`, "A:3126/2,tls"],
  ] as const) {
    const { hosts, problems } = parseHosts(text, "hosts");
    assert.deepEqual(
      hosts.map((host) => host.text),
      [used],
      text,
    );
    assert.ok(
      problems.every(({ hint }) => hint.includes(used)),
      text,
    );
    assert.equal(problems.length, text.split(" ").length - 1);
  }
});

test("a pool is named by DNS; what else its line says is for each of its servers", () => {
  const key = "a".repeat(43);
  const { hosts, pools, hostLines, problems } = parseHosts(
    `srv:_homcc._tcp.Example.com/4,lzo,key=${key} # pool\nSRV: other.example , tls\nsrv:80/3 srv`,
    "hosts",
  );
  assert.deepEqual(
    pools.map(({ name, limit, compression, tls, source }) => [name, limit, compression, tls?.kind, source]),
    [
      ["_homcc._tcp.example.com", 4, "lzo", "pool", "hosts:1:1"],
      ["other.example", 2, undefined, "authority", "hosts:2:1"],
    ],
  );
  // A host of that name has a port or none.
  assert.deepEqual(
    hosts.map(({ name, port, limit }) => [name, port, limit]),
    [
      ["srv", 80, 3],
      ["srv", 3126, 2],
    ],
  );
  assert.equal(hostLines.length, 4);
  assert.deepEqual(problems, []);
});

test("a pool that cannot be one, and one that is listed twice", () => {
  for (const text of ["srv:", "srv:/3", "srv:a:80", "srv:me@a", "srv:a..b", "srv:[::1]", "srv:-a"]) {
    const { pools, problems } = parseHosts(text, "hosts");
    assert.deepEqual([pools.length, problems.length], [0, 1], text);
  }
  const key = "a".repeat(43);
  const { pools, problems } = parseHosts(`srv:a/1 srv:A/2,key=${key}`, "hosts");
  assert.deepEqual(
    pools.map(({ limit, tls }) => [limit, tls?.kind]),
    [[2, "pool"]],
  );
  assert.equal(problems.length, 1);
});
