// --ssh: `default|ID[=SOCKET|KEY[,KEY...]]`.
import { cutPair, writeCsv } from "../../base/index.ts";

/** An agent or keys to lend under an id. Without paths, the agent of SSH_AUTH_SOCK. */
export interface SshSpec {
  readonly id: string;
  readonly paths?: readonly string[];
}

/** Reads the values of `--ssh`. */
export function parseSshSpecs(values: readonly string[]): readonly SshSpec[] {
  return values.map((value) => {
    const pair = cutPair(value);
    return pair ? { id: pair[0], paths: pair[1].split(",") } : { id: value };
  });
}

/** The text buildx prints for it. */
export function sshText(spec: SshSpec): string {
  return spec.paths?.length ? writeCsv([[spec.id, spec.paths.join(",")]]) : spec.id;
}
