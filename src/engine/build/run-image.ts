// Runs an image's program in a container of its own, attached to this process's input and output: `kiln run`.
import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { BuildEvent, Session, StepCall } from "../../api/index.ts";
import { AsyncStack, type Call, digestOf, isKilnError, KilnError } from "../../base/index.ts";
import { type ContainerConfig, type Platform, platformOfConfig } from "../../formats/oci/index.ts";
import type { Snapshotter } from "../../storage/snapshot/index.ts";
import type { ExecMount, Executor, ProcessSpec } from "../executor/index.ts";
import type { ImageSource } from "../source/index.ts";
import { checkPrivileges, type Entitlement, grantEntitlements } from "./entitlements.ts";

/** What is to be run; what is absent is taken from the image. */
export interface RunImageRequest {
  /** As the user wrote it. */
  readonly reference: string;
  readonly platform: Platform;
  /** Ask the registry even where the image is in the store. */
  readonly pull: boolean;
  /** Replaces the image's entrypoint, and its command too. */
  readonly entrypoint?: readonly string[];
  /** Replaces the image's command. */
  readonly command?: readonly string[];
  /** `NAME=value`; these come after the image's own and win. */
  readonly env: readonly string[];
  readonly user?: string;
  readonly cwd?: string;
  readonly network: ProcessSpec["network"];
  /** `security.insecure` has to be among the entitlements. */
  readonly privileged?: boolean;
  /** False: the program's input is at its end from the start. */
  readonly interactive: boolean;
  readonly mounts?: readonly RunMount[];
  readonly limits?: Pick<
    ProcessSpec,
    "hostname" | "extraHosts" | "ulimits" | "shmSize" | "resources"
  >;
  /** What the asking side allows beyond the sandbox. */
  readonly entitlements?: readonly string[];
}

/** What the program sees of this machine below `target`, or memory of its own. */
export interface RunMount {
  readonly target: string;
  readonly readonly: boolean;
  readonly what:
    | { readonly type: "path"; readonly path: string }
    | { readonly type: "tmpfs"; readonly size?: number };
}

/** Lent by the engine. */
export interface RunImageParts {
  readonly images: ImageSource;
  readonly snapshotter: Snapshotter;
  readonly executor: () => Promise<Executor>;
  readonly entitlements: readonly Entitlement[];
}

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Resolves with the program's exit code when it has ended and its files are gone. Throws what kept it from starting. */
export async function runImage(
  request: RunImageRequest,
  parts: RunImageParts,
  session: Session,
  call: Call,
): Promise<number> {
  await using owned = new AsyncStack();
  const stepCall = silently(request.reference, call);
  const mode = request.pull ? "pull" : "local";
  const { reference, platform: wanted } = request;
  const image = await parts.images.resolveImage(
    reference,
    { platform: wanted, mode },
    session,
    call,
  );
  const platform = platformOfConfig(image.config);
  const spec = processOf(request, image.config.config ?? {}, platform);
  checkPrivileges(spec, grantEntitlements(request.entitlements ?? [], parts.entitlements));
  const executor = await parts.executor();
  await executor.checkPlatform(platform, call);
  const source = await parts.images.resolve(
    {
      scheme: parts.images.scheme,
      rest: image.reference,
      attrs: { "image.resolvemode": mode },
      platform: wanted,
    },
    session,
    stepCall,
  );
  const snapshot = await source.fetch(stepCall);
  if (snapshot) owned.use(snapshot);
  const files = owned.use(await parts.snapshotter.active(snapshot, call));
  try {
    const mounts = (request.mounts ?? []).map(execMount);
    return (await executor.run(spec, await files.mounts(call), mounts, stepCall)).exitCode;
  } catch (error) {
    const ended = isKilnError(error, "PROCESS_FAILED") || isKilnError(error, "EMULATOR_CRASHED");
    const code = ended ? error.details["exitCode"] : undefined;
    if (typeof code === "number") return code;
    throw error;
  }
}

/** A call whose step nobody watches: the program speaks for itself. */
function silently(name: string, call: Call): StepCall {
  const emit = (_event: BuildEvent): void => {};
  return { signal: call.signal, step: digestOf(`run ${name}`), emit };
}

function execMount({ target, readonly, what }: RunMount): ExecMount {
  if (what.type === "tmpfs") return { target, readonly, what };
  const isDirectory = statSync(what.path).isDirectory();
  const path = isDirectory ? what.path : dirname(what.path);
  const selector = isDirectory ? {} : { selector: basename(what.path) };
  return { target, readonly, what: { type: "directory", path, ...selector } };
}

function processOf(
  request: RunImageRequest,
  config: ContainerConfig,
  platform: Platform,
): ProcessSpec {
  const entrypoint = request.entrypoint ?? config.Entrypoint ?? [];
  const command = request.command ?? (request.entrypoint ? [] : (config.Cmd ?? []));
  const args = [...entrypoint, ...command];
  if (args.length === 0) {
    throw new KilnError("FLAG_INVALID", `${request.reference} does not say what to run`, {
      hint: "Name a program after the image.",
    });
  }
  const user = request.user ?? config.User ?? "";
  return {
    args,
    env: mergeEnv([defaultPath], config.Env ?? [], request.env),
    cwd: request.cwd ?? config.WorkingDir ?? "/",
    network: request.network,
    security: request.privileged ? "insecure" : "sandbox",
    platform,
    stdio: request.interactive ? "inherit" : "output",
    ...request.limits,
    ...(user === "" ? {} : { user }),
  };
}

/** Later values of a name replace earlier ones in place. */
function mergeEnv(...lists: readonly (readonly string[])[]): readonly string[] {
  const named = lists.flat().map((one): [string, string] => [one.slice(0, one.indexOf("=")), one]);
  return [...new Map(named).values()];
}
