// Devices of steps that may do anything: for kernel logs, file systems in processes, virtual machines, tunnels and loop mounts.
import { existsSync } from "node:fs";
import { isInitial, readIdMap } from "../isolation/index.ts";

/** A device node that the runtime makes, for everybody to read and write. */
export interface SpecDevice {
  readonly path: string;
  /** Character or block. */
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
}

/** Whether the machine can do anything with them or not, as the reference has it: what it cannot, opening them says. */
const always: readonly SpecDevice[] = [
  { path: "/dev/kmsg", type: "c", major: 1, minor: 11 },
  { path: "/dev/cuse", type: "c", major: 10, minor: 203 },
  { path: "/dev/fuse", type: "c", major: 10, minor: 229 },
  { path: "/dev/kvm", type: "c", major: 10, minor: 232 },
  { path: "/dev/net/tun", type: "c", major: 10, minor: 200 },
  { path: "/dev/loop-control", type: "c", major: 10, minor: 237 },
];

/** How many loop devices there are beyond the first free one, for a step that sets up several. */
const spareLoops = 7;
const loopMajor = 7;

/** Empty in a user namespace, where nobody can make devices. */
export function insecureDevices(): readonly SpecDevice[] {
  if (!isInitial(readIdMap("/proc/self/uid_map"))) return [];
  let free = 0;
  while (existsSync(`/sys/block/loop${free}/loop/backing_file`)) free++;
  const loops = Array.from({ length: free + spareLoops + 1 }, (_, minor): SpecDevice => {
    return { path: `/dev/loop${minor}`, type: "b", major: loopMajor, minor };
  });
  return [...always, ...loops];
}
