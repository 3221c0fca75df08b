import type { Contender } from "./contender.ts";

/** Named in the results, so that nobody takes its absence for an oversight. */
export const icecream: Contender = {
  name: "icecream",
  learns: true,
  missing: () =>
    "its scheduler hands out addresses of daemons that connect to each other, and its servers compile in a chroot that only root can make: neither fits behind one port of an emulated link",
  start: () => Promise.reject(new Error("icecream cannot be started")),
};
