// What a daemon is asked for that has no effect here: flags and keys of buildkitd without a counterpart.
import type { DaemonTables } from "../../config/index.ts";
import type { Flags } from "../../flags/index.ts";
import type { serveFlags } from "./serve-flags.ts";

/** In words for the log. */
export function notesOf(
  values: Flags<typeof serveFlags>["values"],
  tables: DaemonTables,
): readonly string[] {
  const unused = new Set(tables.worker.unused);
  const asked = {
    "--otel-socket-path: traces of steps are not passed on":
      values["otel-socket-path"] !== "" || tables.otelSocket !== undefined,
    "--oci-worker-apparmor-profile has no effect: steps run without a profile of their own":
      values["oci-worker-apparmor-profile"] !== "" || tables.worker.apparmor !== undefined,
    "--oci-worker-selinux has no effect: steps are not labelled":
      values["oci-worker-selinux"] || tables.worker.selinux === true,
    "--oci-worker-no-process-sandbox has no effect: steps have processes of their own":
      values["oci-worker-no-process-sandbox"] || tables.worker.noProcessSandbox === true,
    "--oci-worker-proxy-snapshotter-path has no effect: there are no snapshotters elsewhere":
      values["oci-worker-proxy-snapshotter-path"] !== "" || unused.has("proxySnapshotterPath"),
    "settings of CNI have no effect: every step gets a network of its own without it":
      values["oci-cni-config-path"] !== "" ||
      values["oci-cni-binary-dir"] !== "" ||
      values["oci-cni-pool-size"] !== 0 ||
      [...unused].some((key) => key.startsWith("cni") || key.startsWith("bridge")),
    "defaultCgroupParent has no effect: steps are in cgroups below the daemon's own":
      unused.has("defaultCgroupParent"),
    "stargzSnapshotter has no effect: layers are fetched whole": unused.has("stargzSnapshotter"),
    "--save-cache-debug has no effect: kiln build --explain says why a step was not cached":
      values["save-cache-debug"],
    "securityDescriptor has no effect: it is of Windows": tables.grpc.securityDescriptor === true,
  };
  return Object.entries(asked).flatMap(([note, is]) => (is ? [note] : []));
}
