// Asking a cluster through kubectl, which knows every way to sign in to one.
import { spawn } from "node:child_process";
import { type Call, concatBytes, KilnError, throwIfAborted } from "../../base/index.ts";

const maxAnswer = 64 * 1024 * 1024;

/** Which cluster, and where in it. */
export interface Cluster {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The words before every command of kubectl. */
export function clusterFlags({ context, namespace, kubeconfig }: Cluster): readonly string[] {
  return [
    ...(kubeconfig ? [`--kubeconfig=${kubeconfig}`] : []),
    ...(context ? [`--context=${context}`] : []),
    ...(namespace ? [`--namespace=${namespace}`] : []),
  ];
}

/**
 * Runs kubectl and resolves with what it printed. Throws `BUILDER_FAILED` with its own words, `PROGRAM_MISSING` where it
 * is not installed.
 */
export function kubectl(
  cluster: Cluster,
  args: readonly string[],
  input: string | undefined,
  call: Call,
): Promise<string> {
  throwIfAborted(call);
  return new Promise((resolve, reject) => {
    const child = spawn("kubectl", [...clusterFlags(cluster), ...args], {
      env: { ...cluster.env } as NodeJS.ProcessEnv,
      signal: call.signal,
    });
    const out: Uint8Array[] = [];
    let size = 0;
    let complaint = "";
    child.stdout.on("data", (chunk: Uint8Array) => {
      size += chunk.length;
      if (size > maxAnswer) child.kill();
      else out.push(chunk);
    });
    child.stderr.on("data", (chunk: Uint8Array) => {
      complaint = (complaint + new TextDecoder().decode(chunk)).slice(-4096);
    });
    child.on("error", (error: NodeJS.ErrnoException) => reject(spawnFailure(error, call)));
    child.on("close", (code) => {
      if (code === 0) return resolve(new TextDecoder().decode(concatBytes(out)));
      const said = complaint.trim() || `kubectl ended with exit code ${code}`;
      reject(new KilnError("BUILDER_FAILED", `kubectl ${args[0]} failed: ${said}`));
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input ?? "");
  });
}

function spawnFailure(error: NodeJS.ErrnoException, call: Call): unknown {
  if (call.signal.aborted) return call.signal.reason;
  if (error.code !== "ENOENT") return error;
  return new KilnError("PROGRAM_MISSING", "kubectl is not installed", {
    hint: "Install kubectl: the kubernetes driver reaches its cluster with it.",
  });
}

/** True for the cluster's "there is no such object". */
export function isNotFound(error: unknown): boolean {
  return error instanceof KilnError && /\(NotFound\)|not found/i.test(error.message);
}
