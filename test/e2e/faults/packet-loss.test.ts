/** A line that loses packets in both directions: TCP sends them again, and homcc takes no silence of it for the end of the server. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { assertNoLeaks } from "../../support/leaks.ts";
import { createNetwork } from "../../support/network.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { assertSameUnit, compilersStarted, unitCompile } from "../../support/unit-compile.ts";
import { createWorkplace } from "../../support/workplace.ts";

const names = Array.from({ length: 8 }, (_, index) => `unit${index}`);

for (const percent of [1, 3, 5]) {
  test(`a line that loses ${percent} % of its packets, from the first on`, async (t) => {
    if (!meets(t, "root", { program: "iptables" })) return;
    await using network = await createNetwork();
    network.lose(percent);
    await using server = await startServer({
      prefix: network.away,
      listen: network.serverAddress,
      options: ["--log-level", "DEBUG"],
    });
    await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
    for (const [index, name] of names.entries()) {
      const text = `#include <map>\n#include <string>\nstd::map<std::string, int> value${index}(int x) { return {{"${name}", x}}; }\n`;
      await writeFile(join(workplace.project, `${name}.cpp`), text);
    }
    const results = await Promise.all(
      names.map((name) => workplace.run([...network.home, ...unitCompile(name)], { timeoutMs: 110_000 })),
    );
    assert.deepEqual(
      results.map(({ status, stderr }) => `${status} ${stderr}`),
      names.map(() => "0 "),
    );
    assert.deepEqual(
      names.map((name) => compilersStarted(server, `${name}.cpp`)),
      names.map(() => 1),
    );
    const lost = network.lost();
    assert.ok(lost > 0, "no packet was lost");
    t.diagnostic(`${lost} packets were lost`);
    for (const name of names.slice(0, 2)) await assertSameUnit(workplace, name);
    network.lose(0);
    await assertNoLeaks({ servers: [server], workplaces: [workplace] });
    recordSurvived(`The line loses ${percent} % of the packets in both directions`);
  });
}
