import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeDrain } from "@homcc/protocol/drain";
import { DrainNotice } from "./drain-notice.ts";

test("a notice reaches whoever listens, before it comes or after, and only the first counts", () => {
  const notice = new DrainNotice();
  const heard: string[] = [];
  const words = (): string => heard.join(", ");
  notice.received(encodeDrain("leaving"));
  assert.equal(words(), "");
  notice.listen((drain) => heard.push(`late ${drain}`));
  notice.received(encodeDrain("leaving"));
  assert.equal(words(), "late leaving");
  const early = new DrainNotice();
  early.listen((drain) => heard.push(`early ${drain}`));
  early.received(encodeDrain("leaving"));
  assert.equal(words(), "late leaving, early leaving");
});
