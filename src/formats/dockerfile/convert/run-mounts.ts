// RUN --mount: what the process sees besides its files.
import { posix } from "node:path";
import {
  type MountSpec,
  type SecretSpec,
  type SshSpec,
  type State,
  scratch,
} from "../../llb/index.ts";
import type { RunInstruction, RunMount } from "../instructions/index.ts";
import type { ConvertEnv, SourceFiles } from "./environment.ts";
import { cleanPath, isAbsolute, joinPaths } from "./paths.ts";
import { dockerfileError } from "./problem.ts";
import type { Stage } from "./stage.ts";

export interface ConvertedMounts {
  readonly mounts: readonly MountSpec[];
  readonly secrets: readonly SecretSpec[];
  readonly ssh: readonly SshSpec[];
}

/** The mounts of an instruction, behind those of `before`. */
export function convertMounts(
  stage: Stage,
  run: RunInstruction,
  mounts: readonly RunMount[],
  before: readonly MountSpec[],
  env: ConvertEnv,
): ConvertedMounts {
  if (mounts.length === 0) return { mounts: before, secrets: none, ssh: none };
  const out = { mounts: [...before], secrets: [] as SecretSpec[], ssh: [] as SshSpec[] };
  for (const [at, mount] of mounts.entries()) {
    if (mount.type === "secret") out.secrets.push(secretSpec(run, mount, env));
    else if (mount.type === "ssh") out.ssh.push(sshSpec(run, mount, out.ssh.length, env));
    else
      out.mounts.push(
        fileMount(stage, mount, namesSource(mount) ? env.sources[at] : undefined, env),
      );
  }
  return out;
}

const none: readonly never[] = [];

/** A cache without a source begins empty, which is a source too: what `scratch` means in the file. */
function namesSource({ from, type }: RunMount): boolean {
  return from !== "" || type === "cache";
}

function fileMount(
  stage: Stage,
  mount: RunMount,
  from: SourceFiles | undefined,
  env: ConvertEnv,
): MountSpec {
  const target = isAbsolute(mount.target, stage.platform.os)
    ? mount.target
    : joinPaths("/", stage.files.workingDir, mount.target);
  if (target === "/")
    throw dockerfileError(`invalid mount target "${target}"`, "Mount to a directory below /.");
  const source = joinPaths("/", mount.source);
  const owned = mount.uid !== undefined || mount.gid !== undefined || mount.mode !== undefined;
  const files = filesOf(mount, from, env);
  const shown = source === "/" && owned ? ownedCache(files, mount) : files;
  const selector = source !== "/" ? source : owned ? "/cache" : undefined;
  noteUse(source, from, env);
  return {
    target,
    source: shown.output,
    selector,
    readonly: mount.readOnly,
    noOutput: !mount.readOnly && mount.type === "bind",
    cache:
      mount.type === "cache"
        ? { id: cacheId(mount, env), sharing: mount.sharing || "shared" }
        : undefined,
    tmpfs: mount.type === "tmpfs" ? { size: mount.sizeLimit } : undefined,
  };
}

function filesOf(mount: RunMount, from: SourceFiles | undefined, env: ConvertEnv): State {
  if (mount.type === "tmpfs") return scratch();
  if (from !== undefined) return from.files;
  return env.context.files;
}

function noteUse(source: string, from: SourceFiles | undefined, env: ConvertEnv): void {
  if (from !== undefined) from.used.add(source);
  // BuildKit: what a tmpfs has no use for counts as used all the same.
  else env.context.used.add(source);
}

function cacheId(mount: RunMount, { options }: ConvertEnv): string {
  return `${options.cacheIdNamespace ?? ""}/${mount.id || cleanPath(mount.target)}`;
}

/** A cache begins as a directory of the wanted owner. */
function ownedCache(files: State, { mode = 0o755, uid = 0, gid = 0 }: RunMount): State {
  const step = { kind: "mkdir", path: "/cache", mode, owner: { user: uid, group: gid } } as const;
  return files.file([step], { name: "[internal] setting cache mount permissions" });
}

function secretSpec(run: RunInstruction, mount: RunMount, env: ConvertEnv): SecretSpec {
  const id = mount.source || mount.id || posix.basename(mount.target);
  if (id === "")
    throw dockerfileError(
      "a secret mount needs an id or a target",
      "Write --mount=type=secret,id=NAME.",
    );
  const asFile = mount.target !== "" || mount.env === undefined;
  env.outline.secret(id, { lines: run.lines, required: mount.required });
  return {
    id,
    ...(asFile ? { target: mount.target || `/run/secrets/${posix.basename(id)}` } : {}),
    ...(mount.env === undefined ? {} : { env: mount.env }),
    ...ownership(mount, 0o400),
    ...(mount.required ? {} : { optional: true }),
  };
}

function sshSpec(run: RunInstruction, mount: RunMount, index: number, env: ConvertEnv): SshSpec {
  if (mount.source !== "")
    throw dockerfileError("ssh does not support source", "Name the agent by id=.");
  env.outline.ssh(mount.id || "default", { lines: run.lines, required: mount.required });
  return {
    id: mount.id,
    target: mount.target || `/run/buildkit/ssh_agent.${index}`,
    ...ownership(mount, 0o600),
    ...(mount.required ? {} : { optional: true }),
  };
}

function ownership(mount: RunMount, mode: number): { uid: number; gid: number; mode: number } {
  return { uid: mount.uid ?? 0, gid: mount.gid ?? 0, mode: mount.mode ?? mode };
}
