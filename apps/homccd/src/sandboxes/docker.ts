import type { Administration } from "./administration.ts";
import type { OfferedSandbox } from "./offers.ts";
import { unavailable } from "./unavailable.ts";

/** One mount of a container. */
interface Mount {
  readonly source: string;
  readonly destination: string;
  readonly writable: boolean;
}

export interface Container {
  /** Its own name, whatever it was asked by. */
  readonly name: string;
  readonly id: string;
  readonly state: string;
  /** Of its first process on this machine; 0 when it does not run. */
  readonly pid: number;
  readonly mounts: readonly Mount[];
  /** PATH of its image, where it sets one. */
  readonly path: string | undefined;
}

/** The docker, or podman, of this machine, through its command. */
export class Docker {
  readonly program: string;
  readonly #administration: Administration;

  constructor(program: string, administration: Administration) {
    this.program = program;
    this.#administration = administration;
  }

  /** `docker`, or `podman` where the command is podman's. */
  async engine(): Promise<"docker" | "podman"> {
    const { stdout } = await this.#administration.ask(this.program, ["--version"]);
    // "Docker version 20.10.24, build …"; podman says "podman version", or "docker version" through a link of that name.
    return stdout.startsWith("Docker version") ? "docker" : "podman";
  }

  /** Every container with its state: `running`, `exited`, … */
  async containers(): Promise<{ readonly name: string; readonly state: string }[]> {
    const args = ["container", "ls", "--all", "--format", "{{.Names}}\t{{.State}}"];
    const answer = await this.#administration.list(this.program, args);
    if (answer.status !== 0) throw this.#unreachable(answer.complaint);
    const lines = answer.stdout.split("\n").filter((line) => line !== "");
    return lines.map((line) => {
      const [names = "", state = ""] = line.split("\t");
      return { name: names.split(",", 1)[0] ?? "", state: stateOf(state) };
    });
  }

  /** Every container; one that does not run cannot be used. */
  async offers(): Promise<OfferedSandbox[]> {
    const containers = await this.containers();
    return containers.map(({ name, state }) =>
      state === "running" ? { name } : { name, problem: `${state}, not running` },
    );
  }

  /** `undefined` for a container that does not exist. */
  async container(name: string): Promise<Container | undefined> {
    const answer = await this.#administration.ask(this.program, ["container", "inspect", "--", name]);
    if (answer.status === 0) return parseContainer(answer.stdout);
    if (/no such container/i.test(answer.complaint)) return undefined;
    throw this.#unreachable(answer.complaint);
  }

  /** The words before a program that is to run in a container for as long as its stdin is open. */
  commandIn(container: Container, user: string): string[] {
    return ["exec", "--interactive", "--user", user, "--workdir", "/", container.id];
  }

  #unreachable(complaint: string): Error {
    const line = complaint.split("\n").at(-1) ?? "";
    const hint =
      "homccd's account needs access to its socket (group docker; with podman CONTAINER_HOST), which makes it equal to root";
    return unavailable(`${this.program} does not answer homccd: ${line}`, hint);
  }
}

/** podman has "Up 2 minutes ago" and "Created" for docker's "running" and "created". */
function stateOf(text: string): string {
  const state = text.toLowerCase();
  return state.startsWith("up ") ? "running" : state;
}

/** `undefined` when it is not what docker and podman both print. */
function parseContainer(text: string): Container | undefined {
  const [first] = asList(JSON.parse(text));
  const name = textOf(first, "Name").replace(/^\//, "");
  const id = textOf(first, "Id");
  if (name === "" || id === "") return undefined;
  const state = memberOf(first, "State");
  const variables = asList(memberOf(memberOf(first, "Config"), "Env"));
  const path = variables.find((variable) => typeof variable === "string" && variable.startsWith("PATH="));
  const pid = memberOf(state, "Pid");
  return {
    name,
    id,
    state: textOf(state, "Status"),
    pid: typeof pid === "number" ? pid : 0,
    path: typeof path === "string" ? path.slice("PATH=".length) : undefined,
    mounts: asList(memberOf(first, "Mounts")).map((mount) => ({
      source: textOf(mount, "Source"),
      destination: textOf(mount, "Destination"),
      writable: memberOf(mount, "RW") === true,
    })),
  };
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !(name in value)) return undefined;
  const members: Partial<Record<string, unknown>> = value;
  return members[name];
}

function textOf(value: unknown, name: string): string {
  const text = memberOf(value, name);
  return typeof text === "string" ? text : "";
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
