/** Who can read the pool's key: root, and no job. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../../support/command.ts";
import { startPoolServer } from "../../support/pool.ts";
import { recordHostileRequest } from "../../support/reliability.ts";
import { createWorkplace, systemPath } from "../../support/workplace.ts";

const isRoot = process.getuid?.() === 0;
const environment = { PATH: systemPath };

test(
  "a homccd that was started as root: as the account of its jobs neither the key nor its memory can be read",
  { skip: isRoot ? false : "needs root" },
  async () => {
    await using workplace = await createWorkplace();
    await using pool = await startPoolServer(join(workplace.folder, "identity"), { executor: "mapped" });
    assert.doesNotMatch(pool.server.log(), /could read the pool's key/);
    const account = /jobs run as (\S+)/.exec(pool.server.log())?.[1] ?? "";
    const as = ["setpriv", `--reuid=${account}`, "--regid=65534", "--clear-groups"];
    const targets = [
      join(pool.identityFolder, "pool.pem"),
      `/proc/${pool.server.pid}/environ`,
      `/proc/${pool.server.pid}/mem`,
      `/proc/${pool.server.pid}/maps`,
    ];
    for (const path of targets) {
      const { status, stderr } = await runCommand([...as, "head", "-c", "1", path], {
        cwd: "/",
        environment,
      });
      assert.notEqual(status, 0, path);
      assert.match(stderr, /Permission denied/);
    }
    recordHostileRequest("a job that reads the pool's key or homccd's memory", {
      tried: targets.length,
      refused: targets.length,
    });
  },
);
