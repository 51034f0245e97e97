// What a step sees of the kernel: /proc, /sys, /dev, and what of them is hidden or cannot be changed.
import type { ProcessSpec } from "./executor.ts";

/** How the step sees control groups; a path only for a runtime that cannot do without. */
export interface CgroupSetting {
  readonly namespace: boolean;
  /** Whether /sys/fs/cgroup is shown, read-only. */
  readonly mount: boolean;
  readonly path?: string;
}

/** As the OCI runtime specification has it. */
export interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** /dev/shm of a step unless it asks otherwise, in bytes. */
export const defaultShmSize: number = 64 * 1024 * 1024;

/** Kernel interfaces that a step does not see at all: Docker's list. */
export const maskedPaths: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/** Kernel interfaces that a step may read but not write: Docker's list. */
export const readonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/**
 * The devices of a step: Docker's list. They are the machine's own, mounted (read-only: that concerns their mode and owner,
 * not what is written to them). Any other that a step makes cannot be opened, as all its file systems are `nodev`; no
 * control group is needed for that.
 */
const devices: readonly string[] = ["full", "null", "random", "tty", "urandom", "zero"].map(
  (name) => `/dev/${name}`,
);

/** `sandboxed`: the kernel's own files are not changed, and only Docker's devices can be opened. */
export function kernelMounts(
  process: ProcessSpec,
  setting: { readonly owners: "many" | "one"; readonly cgroup: CgroupSetting },
  sandboxed: boolean,
): SpecMount[] {
  const hidden = ["nosuid", "noexec", "nodev"];
  const write = sandboxed ? "ro" : "rw";
  const shm = process.shmSize ?? defaultShmSize;
  const mount = (destination: string, type: string, source: string, options: string[]) => ({
    destination,
    type,
    source,
    options,
  });
  return [
    mount("/proc", "proc", "proc", hidden),
    mount("/dev", "tmpfs", "tmpfs", [
      "nosuid",
      ...(sandboxed ? ["nodev"] : []),
      "strictatime",
      "mode=755",
      "size=65536k",
    ]),
    ...(sandboxed ? devices : []).map((path) =>
      mount(path, "none", path, ["bind", "ro", "nosuid", "noexec"]),
    ),
    mount("/dev/pts", "devpts", "devpts", [
      "nosuid",
      "noexec",
      "newinstance",
      "ptmxmode=0666",
      "mode=0620",
      ...(setting.owners === "one" ? [] : ["gid=5"]),
    ]),
    mount("/dev/shm", "tmpfs", "shm", [...hidden, "mode=1777", `size=${shm}`]),
    mount("/dev/mqueue", "mqueue", "mqueue", hidden),
    mount("/sys", "sysfs", "sysfs", [...hidden, write]),
    ...(setting.cgroup.mount
      ? [mount("/sys/fs/cgroup", "cgroup", "cgroup", [...hidden, "relatime", write])]
      : []),
  ];
}
