// Where Kiln keeps its data.
import { isAbsolute, join, resolve } from "node:path";
import type { Environment } from "./config-file.ts";

export interface StateRootOptions {
  /** `--root`. */
  readonly flag: string | undefined;
  /** `root` of the configuration file. */
  readonly config: string | undefined;
  readonly environment: Environment;
  /** Effective user id. */
  readonly uid: number;
  readonly home: string;
}

/**
 * The directory below which everything lies: `--root`, else KILN_ROOT, else the configuration file's `root`, else for
 * root /var/lib/kiln, else `$XDG_DATA_HOME/kiln` (`~/.local/share/kiln`). Absolute.
 */
export function stateRoot({ flag, config, environment, uid, home }: StateRootOptions): string {
  const chosen = flag || environment["KILN_ROOT"] || config;
  if (chosen) return resolve(chosen);
  if (uid === 0) return "/var/lib/kiln";
  const data = environment["XDG_DATA_HOME"];
  // The XDG specification has relative paths ignored.
  return join(data && isAbsolute(data) ? data : join(home, ".local/share"), "kiln");
}
