import { describeError, HomccError } from "@homcc/observability/error";
import { defaultPath } from "./compilers.ts";
import type { EntryOptions } from "./entry-options.ts";
import type { SandboxEnvironment } from "./environment.ts";
import { enterMapped } from "./mapped-environment.ts";
import { enterRoot } from "./root-environment.ts";
import { filesOf } from "./profile-files.ts";
import type { Schroot, SchrootProfile } from "./schroot.ts";
import { hasOwnCause, unavailable } from "./unavailable.ts";

/**
 * A profile that is a folder of this machine is the floor of jobs in namespaces; schroot is only asked whether it lets
 * homccd's account in. Any other is entered as a session of schroot.
 */
export async function enterSchroot(
  profile: SchrootProfile,
  schroot: Schroot,
  options: EntryOptions,
): Promise<SandboxEnvironment> {
  const files = filesOf(profile);
  const isCurrent = (): boolean => files.unchanged();
  if (options.namespaces && profile.directory !== undefined) {
    await schroot.visit(profile.name);
    try {
      return await enterRoot({
        ...options,
        kind: "schroot",
        place: `schroot profile ${profile.name}`,
        path: defaultPath,
        root: profile.directory,
        isCurrent,
      });
    } catch (error) {
      if (hasOwnCause(error)) throw error;
      options.logger.warning(
        `schroot profile ${profile.name}: paths are mapped, because: ${describeError(error)}`,
      );
    }
  }
  return await enterSession(profile, schroot, isCurrent, options);
}

async function enterSession(
  profile: SchrootProfile,
  schroot: Schroot,
  isCurrent: () => boolean,
  options: EntryOptions,
): Promise<SandboxEnvironment> {
  // A plain profile has no set-up, so no sessions either.
  const session = profile.type === "plain" ? undefined : await schroot.begin(profile.name);
  const end = async (): Promise<void> => {
    if (session !== undefined) await schroot.end(session);
  };
  const args = schroot.commandIn(session === undefined ? { profile: profile.name } : { session });
  try {
    return await enterMapped({
      ...options,
      kind: "schroot",
      place: `schroot profile ${profile.name}`,
      path: defaultPath,
      root: session === undefined ? profile.directory : await schroot.location(session),
      command: { program: schroot.program, args },
      isCurrent,
      close: end,
    });
  } catch (error) {
    await end();
    throw explain(error, profile, options.shared.path);
  }
}

/** The session could be begun, so what fails now is the place that both sides should see. */
function explain(error: unknown, profile: SchrootProfile, path: string): unknown {
  if (!(error instanceof HomccError) || hasOwnCause(error)) return error;
  const shared = path.slice(0, path.lastIndexOf("/")) || "/";
  const message = `schroot profile ${profile.name} does not share ${shared}: ${error.message}`;
  if (profile.type === "plain")
    return unavailable(message, `make it type=directory, whose set-up mounts ${shared}`);
  const fstab = /^setup\.fstab=(.+)$/m.exec(profile.text)?.[1];
  const file = fstab === undefined ? "the profile's fstab" : `/etc/schroot/${fstab}`;
  return unavailable(
    message,
    `add the line "${shared} ${shared} none rw,bind 0 0" to ${file}, or choose another folder with sandbox_dir`,
  );
}
