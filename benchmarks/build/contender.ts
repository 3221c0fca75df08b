import type { LinkProfile } from "../link/thin-link-process.ts";
import type { GeneratedProject } from "./project.ts";

/** What all contenders have in common. */
export interface Farm {
  readonly project: GeneratedProject;
  /** Recorded results of the project's sources. */
  readonly recording: string;
  readonly slots: number;
  /** For whatever a contender writes; it exists. */
  readonly folder: string;
}

/** A way of building the project over a link. */
export interface Contender {
  readonly name: string;
  /** Its second build is another than its first. */
  readonly learns: boolean;
  /** Why it cannot take part here; `undefined` when it can. */
  missing(): string | undefined;
  /** Starts servers that know nothing yet, behind a link of their own. */
  start(farm: Farm, profile: LinkProfile): Promise<Site>;
}

/** A contender's client, servers and link. */
export interface Site extends AsyncDisposable {
  readonly version: string;
  /** Words before the whole build, where it runs in another place than the benchmark. */
  readonly place?: readonly string[];
  /** Words before the compiler. */
  readonly prefix: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Time that the client's own processes have used so far which the build does not wait for. */
  clientDaemonsMs(): number;
  serverDaemonsMs(): number;
  /** Bytes so far: payload of the programs' connections, and an estimate of what goes over the wire for it. */
  traffic(): Promise<Traffic>;
  /** Compiles so far that the servers did, of a tool that compiles some at home as it likes. */
  remoteCompiles?(): Promise<number>;
}

export interface Traffic {
  readonly upBytes: number;
  readonly downBytes: number;
  readonly upWireBytes: number;
  readonly downWireBytes: number;
}
