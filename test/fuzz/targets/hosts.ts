import { parseHosts } from "@homcc/config/hosts";
import { type FuzzTarget, must, mustEqual } from "../target.ts";

const words = [
  "localhost",
  "a",
  "10.0.0.1",
  "[::1]",
  "::1",
  ":3126",
  "/4",
  ",lzo",
  "#",
  "\n",
  " ",
  "@",
  "u@",
  "/",
  ",",
  ":",
  "[",
  "]",
  "99999",
  "-oProxy",
];

/** The hosts file. */
export const hosts: FuzzTarget = {
  name: "hosts",
  property:
    "each line of a hosts file is a host or a problem, and what was understood is understood again the same",
  dictionary: words,
  generate: (random) => Buffer.from(random.many(1, 12, () => random.pick(words)).join("")),
  check(input) {
    const { hosts: found, hostLines, localhostLimit, problems } = parseHosts(input.toString(), "file");
    for (const { name, port, limit, ssh } of found) {
      must(port > 0 && port < 65_536 && limit >= 0 && Number.isInteger(limit), `${name}: ${port} ${limit}`);
      must(
        !name.startsWith("-") && !/[\s\0]/.test(name),
        `a program would take ${JSON.stringify(name)} for an option`,
      );
      must(ssh === undefined || !ssh.user.startsWith("-"), `a user ${ssh?.user}`);
    }
    for (const { source, message } of problems) must(/^file:\d+:\d+$/.test(source) && message !== "", source);
    const again = parseHosts(hostLines.join("\n"), "file");
    mustEqual("limit of this machine", again.localhostLimit, localhostLimit);
    const shown = (list: typeof found): unknown => list.map(({ source: _source, ...host }) => host);
    mustEqual("the hosts", shown(again.hosts), shown(found));
  },
};
