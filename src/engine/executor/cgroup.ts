// Making the machine's control groups acceptable to the runtime, whatever their layout, without limiting anything.
import { readdirSync, readFileSync, rmdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { log } from "../../base/index.ts";
import { loadSyscalls } from "../../storage/snapshot/index.ts";
import type { CgroupSetting } from "./kernel-files.ts";

const debug = log("executor");

const root = "/sys/fs/cgroup";
const cgroup2Magic = 0x63677270;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;

/** What was made of /sys/fs/cgroup: version 2 for all that runs in this process's mount namespace, or nothing at all. */
export type CgroupView = "v2" | "none";

/**
 * Shows the runtime a /sys/fs/cgroup that it accepts: crun refuses the hybrid layout of older machines outright. Changes
 * only this process's private mount namespace, which must have been entered.
 */
export function openCgroupView(runtime: "crun" | "runc"): CgroupView {
  view ??= isCgroup2() ? "v2" : mountCgroups(runtime);
  return view;
}

let view: CgroupView | undefined;

function mountCgroups(runtime: "crun" | "runc"): CgroupView {
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  try {
    loadSyscalls().mount("cgroup2", root, "cgroup2", flags, "");
    return "v2";
  } catch (error) {
    debug.debug("no cgroup2", { error: String(error) });
    // crun then does without; runc cannot, but takes what is there.
    if (runtime === "crun") loadSyscalls().mount("tmpfs", root, "tmpfs", flags, "mode=755");
    return "none";
  }
}

/** What a step sees, and for a runtime that insists on one (runc) the group it runs in. */
export function cgroupSetting(view: CgroupView, ownGroup: string | undefined): CgroupSetting {
  return {
    namespace: view === "v2",
    // From the root group, the step would see every group of the machine.
    mount: view === "v2" && !isInRootGroup(),
    ...(ownGroup === undefined ? {} : { path: ownGroup }),
  };
}

/** The name of the group of one step of this process. */
export function groupOf(pid: number, step: number): string {
  return `/kiln-${pid}-${step}`;
}

/** Removes the empty groups that runc left behind in processes that were killed. */
export function sweepGroups(isAlive: (pid: number) => boolean): void {
  for (const name of listGroups()) {
    const pid = /^kiln-(\d+)-\d+$/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    removeGroup(`/${name}`);
  }
}

/** Removes a group if it is there and nothing runs in it. */
export function removeGroup(name: string): void {
  try {
    rmdirSync(join(root, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      debug.debug("left a group", { name, error: String(error) });
  }
}

function listGroups(): readonly string[] {
  try {
    return readdirSync(root);
  } catch {
    return [];
  }
}

function isCgroup2(): boolean {
  try {
    return statfsSync(root).type === cgroup2Magic;
  } catch {
    return false;
  }
}

function isInRootGroup(): boolean {
  const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
  return own === undefined || own === "/";
}
