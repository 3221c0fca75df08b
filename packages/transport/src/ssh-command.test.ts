import assert from "node:assert/strict";
import { test } from "node:test";
import { destinationOf, forwardCommand, masterCommand, type SshRoute } from "./ssh-command.ts";

const route: SshRoute = {
  user: "me",
  name: "build",
  port: 3127,
  executable: "/opt/ssh",
  options: ["-p", "22"],
};
const sockets = { control: "a.c", forward: "a.f" };

test("the command that logs in: settings of ours come first, because ssh takes the first of two", () => {
  const command = masterCommand(route, sockets);
  assert.equal(command[0], "/opt/ssh");
  assert.deepEqual(command.slice(-4), ["-p", "22", "--", "me@build"]);
  for (const setting of ["BatchMode=yes", "ControlPersist=no", "ClearAllForwardings=yes"])
    assert.equal(command[command.indexOf(setting) - 1], "-o");
  assert.ok(command.indexOf("BatchMode=yes") < command.indexOf("-p"));
  assert.equal(command[command.indexOf("-S") + 1], "./a.c");
});

test("the order to forward: a relative name, no configuration, no look-up of the host", () => {
  assert.deepEqual(
    forwardCommand(route, sockets),
    ["/opt/ssh", "-F", "none", "-S", "./a.c", "-O", "forward"].concat("-L", "./a.f:localhost:3127", "homccd"),
  );
});

test("the destination: without a user it is ssh's choice; IPv6 has no brackets", () => {
  assert.equal(destinationOf({ ...route, user: "" }), "build");
  assert.equal(destinationOf({ ...route, name: "fe80::1%eth0" }), "me@fe80::1%eth0");
});
