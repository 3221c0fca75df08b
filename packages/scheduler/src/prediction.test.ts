import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostIdOf } from "./host.ts";
import {
  type Advice,
  advise,
  type HomeView,
  homeFinishMs,
  isMuchLater,
  reconsider,
  remoteFinishMs,
  type ServerView,
} from "./prediction.ts";

const hostId = hostIdOf({ name: "server", port: 3126, limit: 8 });
const mbit = 125_000;

function server(changes: Partial<ServerView> = {}): ServerView {
  return {
    hostId,
    isNear: false,
    uploadBytesPerSecond: 10 * mbit,
    downloadBytesPerSecond: 50 * mbit,
    roundTripMs: 30,
    likelyRoundTripMs: 30,
    missingBytes: 0,
    aheadBytes: 0,
    isSilent: false,
    jobs: 0,
    jobsAhead: 0,
    slots: 8,
    compileMs: 1000,
    resultBytes: 100_000,
    meanCompileMs: 1000,
    ...changes,
  };
}

function home(changes: Partial<HomeView> = {}): HomeView {
  return { slots: 2, jobs: 0, unfinishedJobs: 1, compileMs: 1000, meanCompileMs: 1000, ...changes };
}

describe("the time to a result from a server", () => {
  const rows: readonly [string, Partial<ServerView>, number | undefined][] = [
    ["round trip, compile, object", {}, 30 + 1000 + 16],
    ["missing files: another round trip and the upload", { missingBytes: 125_000 }, 60 + 100 + 1000 + 16],
    ["behind what is on its way", { missingBytes: 125_000, aheadBytes: 1_250_000 }, 60 + 1100 + 1000 + 16],
    ["nothing is missing: the uploads of others are no matter", { aheadBytes: 1e9 }, 1046],
    ["the queue for a slot", { jobsAhead: 16 }, 30 + 2000 + 1000 + 16],
    ["results of others that do not fit into the compile", { jobs: 100 }, 1030 + (100 * 16 - 1030) + 16],
    ["a slow downlink", { downloadBytesPerSecond: mbit / 2 }, 1030 + 1600],
    [
      "a link nobody has measured, with files to send",
      { missingBytes: 1, uploadBytesPerSecond: undefined },
      undefined,
    ],
    ["the same with nothing to send", { uploadBytesPerSecond: undefined }, 1046],
    ["a compile nobody has measured", { compileMs: undefined }, undefined],
    ["a downlink nobody has measured", { downloadBytesPerSecond: undefined }, 1030],
    [
      "a near link takes no time, whatever was measured",
      {
        isNear: true,
        missingBytes: 1e9,
        resultBytes: 1e9,
        uploadBytesPerSecond: 1,
        downloadBytesPerSecond: 1,
        jobsAhead: 8,
      },
      1000 + 1000,
    ],
    ["a server of homcc 1.x", { roundTripMs: undefined, uploadBytesPerSecond: undefined }, 1016],
  ];
  for (const [name, changes, ms] of rows)
    test(name, () => {
      const finishMs = remoteFinishMs(server(changes));
      assert.equal(finishMs === undefined ? undefined : Math.round(finishMs), ms);
    });
});

describe("the time to a result here", () => {
  const rows: readonly [string, Partial<HomeView>, number | undefined][] = [
    ["a free slot", {}, 1000],
    ["the last free slot", { jobs: 1 }, 1000],
    ["all taken", { jobs: 2 }, 1500],
    ["six wait", { jobs: 8, meanCompileMs: 2000 }, 7 * 1000 + 1000],
    ["never compiled", { compileMs: undefined }, undefined],
  ];
  for (const [name, changes, ms] of rows) test(name, () => assert.equal(homeFinishMs(home(changes)), ms));
});

describe("much later is more than twice and two seconds", () => {
  for (const [ms, thanMs, isMuch] of [
    [2_000, 0, true],
    [1_999, 0, false],
    [3_000, 1_000, true],
    [2_999, 1_000, false],
    [4_000, 2_000, false],
    [4_001, 2_000, true],
    [20_000, 10_000, false],
    [20_001, 10_000, true],
    [1_000, 2_000, false],
  ] as const)
    test(`${ms} and ${thanMs}`, () => assert.equal(isMuchLater(ms, thanMs), isMuch));
});

type Kind = "remote" | Extract<Advice, { kind: "local" }>["why"];

const unmeasured = { uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined };
const thin = { uploadBytesPerSecond: mbit / 2, downloadBytesPerSecond: mbit / 2 };
/** 1.6 s of upload. */
const thinAndNewTenth = { ...thin, missingBytes: 1e5 };
/** 16 s of upload. */
const thinAndNew = { ...thin, missingBytes: 1e6 };

describe("without a localhost line a job comes home only where this machine alone would be faster", () => {
  const rows: readonly [string, Partial<ServerView>[], Partial<HomeView>, Kind][] = [
    ["a good link", [{}], {}, "remote"],
    ["… however busy this machine is", [{}], { jobs: 40 }, "remote"],
    ["half a megabit and 1 MB missing", [thinAndNew], {}, "servers-are-slower"],
    ["… but forty jobs wait here", [thinAndNew], { jobs: 44 }, "remote"],
    ["half a megabit, and an object of 100 kB: 1.6 s more than here", [thin], {}, "servers-are-slower"],
    ["… but it is one of eight jobs, which take 4 s here", [thin], { unfinishedJobs: 8 }, "remote"],
    ["a tenth later and 20 ms", [{ roundTripMs: 104 }], {}, "remote"],
    ["… and one more", [{ roundTripMs: 105 }], {}, "servers-are-slower"],
    [
      "half a megabit and a server that is ten times faster",
      [{ ...thin, compileMs: 100, resultBytes: 50_000 }],
      {},
      "remote",
    ],
    [
      "only the downlink is measured",
      [{ ...thin, resultBytes: 250_000, uploadBytesPerSecond: undefined }],
      {},
      "servers-are-slower",
    ],
    [
      "only the uplink is, and it is enough",
      [{ ...thinAndNew, downloadBytesPerSecond: undefined }],
      {},
      "servers-are-slower",
    ],
    [
      "only the uplink is, and nothing is missing",
      [{ ...thin, resultBytes: 1e9, downloadBytesPerSecond: undefined }],
      {},
      "remote",
    ],
    [
      "only the downlink is, it is good, and files are missing",
      [{ missingBytes: 1e6, uploadBytesPerSecond: undefined }],
      {},
      "remote",
    ],
    ["nothing is measured", [{ ...thinAndNew, ...unmeasured }], {}, "remote"],
    [
      "a thin one that answered hardly any ping yet",
      [{ ...thinAndNew, roundTripMs: undefined }],
      {},
      "remote",
    ],
    ["an unmeasured one among thin ones", [thinAndNew, unmeasured], {}, "remote"],
    ["a good one among thin ones", [thinAndNew, {}], {}, "remote"],
    ["a near one, whatever was measured", [{ ...thinAndNew, isNear: true }], {}, "remote"],
    ["a near one that is full for 40 s", [{ isNear: true, jobsAhead: 320 }], {}, "remote"],
    ["a near one among thin ones", [thinAndNew, { isNear: true, jobsAhead: 320 }], {}, "remote"],
    [
      "a measured one that is full for a second, with these jobs",
      [{ jobsAhead: 8 }],
      { unfinishedJobs: 9 },
      "remote",
    ],
    ["… with those of others", [{ jobsAhead: 8 }], {}, "servers-are-slower"],
    ["a measured one that is full for 10 s", [{ jobsAhead: 80 }], {}, "servers-are-slower"],
    ["… and here there are as many", [{ jobsAhead: 80 }], { jobs: 22 }, "remote"],
    ["… but a second server is free", [{ jobsAhead: 80 }, {}], {}, "remote"],
    [
      "an unmeasured one that is full for 10 s, 19 ms away",
      [{ ...unmeasured, jobsAhead: 80, roundTripMs: 19 }],
      {},
      "remote",
    ],
    ["an unmeasured one that is full for 10 s", [{ ...unmeasured, jobsAhead: 80 }], {}, "servers-are-slower"],
    ["a file that was never compiled there", [{ ...thinAndNew, compileMs: undefined }], {}, "remote"],
    ["a file that was never compiled here", [thinAndNew], { compileMs: undefined }, "remote"],
    ["no server at all", [], {}, "remote"],
  ];
  for (const [name, servers, at, kind] of rows)
    test(name, () =>
      assert.equal(kindOf(advise(servers.map(server), home(at), "if-servers-are-slower")), kind),
    );
});

describe("with a localhost line local cores take part", () => {
  const rows: readonly [string, Partial<ServerView>[], Partial<HomeView>, Kind][] = [
    ["local cores are idle", [{}], {}, "share"],
    ["… until they are busy", [{}], { jobs: 2 }, "remote"],
    ["by a wide margin", [thinAndNew], {}, "servers-are-slower"],
    ["a near link with a free slot and as fast as this machine", [{ isNear: true }], {}, "remote"],
    ["… with a queue", [{ isNear: true, jobsAhead: 4 }], {}, "share"],
    ["… and a queue here", [{ isNear: true, jobsAhead: 4 }], { jobs: 3 }, "remote"],
    ["an unmeasured link takes its round trip", [unmeasured], {}, "share"],
    ["a file that was never compiled", [{ compileMs: undefined }], { compileMs: undefined }, "remote"],
    ["no server at all", [], {}, "remote"],
  ];
  for (const [name, servers, at, kind] of rows)
    test(name, () => assert.equal(kindOf(advise(servers.map(server), home(at), "if-sooner")), kind));
});

describe("a job that waits on a server comes home while nobody knows how long, and local cores idle", () => {
  const unknown = { missingBytes: 1e5, ...unmeasured };
  const many = { unfinishedJobs: 16 };
  const rows: readonly [string, Partial<ServerView>, Partial<HomeView>, Kind][] = [
    ["an unmeasured uplink, and files that are missing", unknown, many, "idle"],
    ["… the job is alone", unknown, {}, "remote"],
    ["… local cores are busy", unknown, { ...many, jobs: 2 }, "remote"],
    ["… it takes long here", unknown, { ...many, compileMs: 2001 }, "remote"],
    ["… nobody knows what it takes here", unknown, { ...many, compileMs: undefined }, "idle"],
    ["… nothing is missing", unmeasured, many, "remote"],
    ["… the server has not said what is", { ...unmeasured, isSilent: true }, many, "idle"],
    ["… it has not, and the link is measured", { isSilent: true }, many, "remote"],
    [
      "… a round trip of 19 ms, which may be a busy neighbour",
      { ...unknown, roundTripMs: 19 },
      many,
      "remote",
    ],
    [
      "… a few answers came from afar",
      { ...unknown, roundTripMs: undefined, likelyRoundTripMs: 20 },
      many,
      "idle",
    ],
    ["… or after 19 ms", { ...unknown, roundTripMs: undefined, likelyRoundTripMs: 19 }, many, "remote"],
    [
      "… or none did yet",
      { ...unknown, roundTripMs: undefined, likelyRoundTripMs: undefined },
      many,
      "remote",
    ],
    ["… the first ones came late", { ...unknown, roundTripMs: 19, likelyRoundTripMs: 40 }, many, "remote"],
    ["… the server is near", { ...unknown, isNear: true }, many, "remote"],
    [
      "a file that nobody has compiled, and 1.6 s of upload",
      thinAndNewTenth,
      { compileMs: undefined },
      "idle",
    ],
    ["… and 0.8 s", { ...thinAndNewTenth, missingBytes: 5e4 }, { compileMs: undefined }, "remote"],
    [
      "… behind another 0.8 s",
      { ...thinAndNewTenth, missingBytes: 5e4, aheadBytes: 5e4 },
      { compileMs: undefined },
      "idle",
    ],
    ["what is known is judged as before", thinAndNew, {}, "servers-are-slower"],
  ];
  for (const [name, view, at, kind] of rows)
    test(name, () => assert.equal(kindOf(reconsider(server(view), home(at), "if-servers-are-slower")), kind));
  test("never where it is forbidden", () => {
    assert.equal(kindOf(reconsider(server(unknown), home(many), "never")), "remote");
  });
});

test("what may not be compiled here goes to a server whatever it takes", () => {
  assert.deepEqual(advise([server(thinAndNew)], home(), "never"), { kind: "remote" });
});

function kindOf(advice: Advice): Kind {
  return advice.kind === "remote" ? "remote" : advice.why;
}

test("the advice to stay says what it was compared with", () => {
  assert.deepEqual(
    advise(
      [server({ missingBytes: 1_250_000, uploadBytesPerSecond: mbit })],
      home(),
      "if-servers-are-slower",
    ),
    {
      kind: "local",
      why: "servers-are-slower",
      homeMs: 1000,
      remoteMs: 60 + 10_000 + 1000 + 16,
      hostId,
    },
  );
});
