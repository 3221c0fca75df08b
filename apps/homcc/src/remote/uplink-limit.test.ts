import assert from "node:assert/strict";
import { test } from "node:test";
import { HomccError } from "@homcc/observability/error";
import { UplinkLimit } from "./uplink-limit.ts";

interface Connection {
  isSending: boolean;
  limit: () => number | undefined;
  close: () => void;
}

function connect(uplink: UplinkLimit): Connection {
  const closed = Promise.withResolvers<HomccError>();
  const connection: Connection = {
    isSending: true,
    limit: () => undefined,
    close: () => closed.resolve(new HomccError("ERR_HOMCC_CONNECTION_LOST", "closed")),
  };
  uplink.add({
    get isSending() {
      return connection.isSending;
    },
    limitSending: (limit) => {
      connection.limit = limit;
    },
    closed: closed.promise,
  });
  return connection;
}

test("those that send share the limit", async () => {
  const uplink = new UplinkLimit();
  const one = connect(uplink);
  const other = connect(uplink);
  assert.equal(one.limit(), undefined);
  uplink.bytesPerSecond = 1000;
  assert.deepEqual([one.limit(), other.limit()], [500, 500]);
  other.isSending = false;
  assert.deepEqual([one.limit(), other.limit()], [1000, 1000]);
  other.isSending = true;
  other.close();
  await Promise.resolve();
  assert.equal(one.limit(), 1000);
  uplink.bytesPerSecond = undefined;
  assert.equal(one.limit(), undefined);
});
