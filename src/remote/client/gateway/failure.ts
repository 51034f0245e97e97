// Which step failed in a build elsewhere, and what it left: from the details of the status that says so.
import type { FailedStep, ResultRef } from "../../../api/index.ts";
import { type AsyncStack, EventQueue, isRecord, Once, uncancelled } from "../../../base/index.ts";
import { type Definition, type DefinitionOp, decodeExec } from "../../../formats/llb/index.ts";
import type { Platform } from "../../../formats/oci/index.ts";
import { errdefs, pb } from "../../../formats/proto/index.ts";
import type { StatusError } from "../../grpc/index.ts";
import { readPlatform } from "../../session/index.ts";
import type { Gateway } from "./calls.ts";
import { openContainer, type RemoteContainer } from "./container.ts";
import { shellFiles } from "./shell-files.ts";

/** Details that are larger are none. */
const maxDetail = 4 << 20;

interface Told {
  readonly inputIDs: readonly string[];
  readonly mountIDs: readonly string[];
  readonly args: readonly string[];
  readonly digest: string | undefined;
}

/** Results of a failed step by the ids that they go by; containers are made of these. */
export interface FailedFiles extends ResultRef {
  readonly id: string;
}

/**
 * The step of `definitions` that failed. Undefined where the status names none, or one that runs no process. What is
 * opened to read the files goes to `stack`.
 */
export function failedStep(
  status: StatusError,
  definitions: readonly Definition[],
  wire: Gateway,
  { native, stack }: { readonly native: Platform; readonly stack: AsyncStack },
): FailedStep | undefined {
  const told = readDetails(status);
  if (!told || told.mountIDs.length === 0) return undefined;
  const found = findOp(told, definitions);
  if (!found) return undefined;
  const { op, message, exec } = found;
  const platform = readPlatform(message.platform) ?? native;
  const files = (ids: readonly string[]) => filesOfStep(ids, exec, platform, wire, stack);
  return {
    step: op.digest,
    name: op.metadata.description["llb.customname"] ?? exec.args.join(" "),
    op: exec,
    encoded: op.bytes,
    platform,
    states: files(told.mountIDs),
    inputs: files(told.inputIDs),
  };
}

type Exec = FailedStep["op"];

interface FoundOp {
  readonly op: DefinitionOp;
  readonly message: pb.Op;
  readonly exec: Exec;
}

/** By digest; policies of the builder may have changed that, and then by its command. */
function findOp({ digest, args, mountIDs }: Told, definitions: readonly Definition[]) {
  const ops = definitions.flatMap((one) => one.ops);
  const named = ops.filter((op) => op.digest === digest);
  const execs = (named.length > 0 ? named : ops).flatMap((op): FoundOp[] => {
    const message = pb.Op.decode(op.bytes);
    if (message.op?.$case !== "exec") return [];
    return [{ op, message, exec: decodeExec(message.op.value, message.inputs.length) }];
  });
  const same = ({ exec }: FoundOp) =>
    exec.mounts.length === mountIDs.length && exec.args.join("\0") === args.join("\0");
  return named.length > 0 ? execs[0] : execs.find(same);
}

function readDetails({ details }: StatusError): Told | undefined {
  const solve = details.find(({ typeUrl }) => /errdefs\.Solve\b/.test(typeUrl))?.value;
  const vertex = details.find(({ typeUrl }) => /errdefs\.Vertex\b/.test(typeUrl))?.value;
  if (!solve || solve.length > maxDetail) return undefined;
  try {
    const digest = vertex && readVertex(vertex);
    if (!isJson(solve)) {
      const { inputIDs, mountIDs, op } = errdefs.Solve.decode(solve);
      const args = op?.op?.$case === "exec" ? (op.op.value.meta?.args ?? []) : [];
      return { inputIDs, mountIDs, args, digest };
    }
    const document: unknown = JSON.parse(new TextDecoder().decode(solve));
    if (!isRecord(document)) return undefined;
    const { op } = document;
    const exec = isRecord(op) ? op["exec"] : undefined;
    const meta = isRecord(exec) ? exec["meta"] : undefined;
    return {
      inputIDs: texts(document["inputIDs"]),
      mountIDs: texts(document["mountIDs"]),
      args: texts(isRecord(meta) ? meta["args"] : undefined),
      digest,
    };
  } catch {
    // What cannot be read says nothing.
    return undefined;
  }
}

function readVertex(value: Uint8Array): string | undefined {
  if (!isJson(value)) return errdefs.Vertex.decode(value).digest;
  const document: unknown = JSON.parse(new TextDecoder().decode(value));
  const digest = isRecord(document) ? document["digest"] : undefined;
  return typeof digest === "string" ? digest : undefined;
}

function isJson(value: Uint8Array): boolean {
  return value[0] === 0x7b;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map((one) => (typeof one === "string" ? one : "")) : [];
}

/** What results can be read by: a container made of all of them, which is opened when something is read. */
function filesOfStep(
  ids: readonly string[],
  exec: Exec,
  platform: Platform,
  wire: Gateway,
  stack: AsyncStack,
): readonly (FailedFiles | undefined)[] {
  const opening = new Once<"container", RemoteContainer>();
  let open: RemoteContainer | undefined;
  // Secrets and agents are not for reading along.
  const mounts = exec.mounts.filter(({ type }) => type !== "secret" && type !== "ssh");
  const own = ids.filter((_id, at) => mounts.includes(exec.mounts[at] as Exec["mounts"][number]));
  const container = async (call: Parameters<Once<"container", RemoteContainer>["run"]>[2]) => {
    if (open) return open;
    return await opening.run(
      "container",
      async (during) => {
        const request = { op: { ...exec, mounts }, refs: [], platform };
        const made = stack.use(await openContainer(wire, request, own, during));
        if (!(await wire.can("gateway.exec.filesystem", during)))
          await keepAlive(made, exec, stack);
        open = made;
        return made;
      },
      call,
    );
  };
  return ids.map((id, at) => {
    const mount = exec.mounts[at];
    const place = mount ? mounts.indexOf(mount) : -1;
    if (!mount || id === "" || place === -1) return undefined;
    const inside = shellFiles({
      container,
      process: (args) => ({ ...exec, args, cwd: "/", user: "", secretEnv: [] }),
      target: mount.target,
    });
    const own = async (call: Parameters<typeof container>[0]) =>
      (await wire.can("gateway.exec.filesystem", call))
        ? ((await container(call)).files[place] ?? inside)
        : inside;
    return {
      id,
      readFile: async (path, call) => (await own(call)).readFile(path, call),
      readStart: async (path, length, call) => (await own(call)).readStart(path, length, call),
      readDir: async (path, call) => (await own(call)).readDir(path, call),
      entries: async (path, include, call) => (await own(call)).entries(path, include, call),
      stat: async (path, call) => (await own(call)).stat(path, call),
    };
  });
}

/** A container lives as long as its first process: one that waits for input, which ends before the container does. */
async function keepAlive(container: RemoteContainer, exec: Exec, stack: AsyncStack): Promise<void> {
  const op = { ...exec, args: ["/bin/sh", "-c", "read x"], cwd: "/", user: "", secretEnv: [] };
  const input = new EventQueue<Uint8Array>();
  const waiting = container.start({ op, input, output: () => {} }, uncancelled);
  stack.defer(async () => {
    input.end();
    await waiting.exit.catch(() => {});
  });
  // Where there is no shell, whoever asks next is told so.
  await waiting.started.catch(() => {});
}
