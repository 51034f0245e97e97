// Judging control groups and the disk.
import type { Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";

const gigabyte = 1e9;
/** Builds of any size soon need more. */
const little = 5 * gigabyte;
const tooLittle = 0.5 * gigabyte;

/** File systems by statfs(2)'s number, with whether overlay can write on them. */
const fileSystems: Readonly<Record<number, readonly [name: string, overlay: boolean]>> = {
  [0xef53]: ["ext4", true],
  [0x58465342]: ["xfs", true],
  [0x9123683e]: ["btrfs", true],
  [0x01021994]: ["tmpfs", true],
  [0x2fc12fc1]: ["zfs", true],
  [0xf2f52010]: ["f2fs", true],
  [0x794c7630]: ["overlay", false],
  [0x6969]: ["nfs", false],
  [0xff534d42]: ["cifs", false],
  [0xfe534d42]: ["smb2", false],
  [0x65735546]: ["fuse", false],
  [0x01021997]: ["9p", false],
};

export function judgeResources(facts: Facts): readonly Finding[] {
  return [groups(facts), ...disk(facts)];
}

function groups({ mounts, controllers, groupWritable, isolation }: Facts): Finding {
  const base = { id: "cgroups", group: "limits", title: "Control groups" } as const;
  const types = mounts.split("\n").map((line) => line.split(" - ")[1]?.split(" ")[0]);
  const [one, two] = [types.includes("cgroup"), types.includes("cgroup2")];
  const layout = one && two ? "hybrid" : two ? "version 2" : one ? "version 1" : "not mounted";
  const given = controllers === undefined || controllers === "" ? [] : controllers.split(" ");
  const delegated = groupWritable && given.includes("memory");
  if (one || two || isolation.cgroup2.works) {
    const can = delegated
      ? `, ${given.join(" ")} for this process`
      : ", limits of steps need rights that this process has not";
    return {
      ...base,
      status: delegated || layout !== "version 2" ? "ok" : "info",
      found: layout === "version 2" ? `${layout}${can}` : layout,
      ...(delegated || layout !== "version 2"
        ? {}
        : {
            consequence: "--memory and --resource are not applied",
            advice: "Start Kiln as: systemd-run --user --scope -p Delegate=yes kiln ...",
          }),
    };
  }
  return {
    ...base,
    status: "warning",
    found: layout,
    consequence: "limits of steps (--memory, --resource) are not applied",
  };
}

function disk({ disk: place, uid }: Facts): readonly Finding[] {
  const { root, writable, type, free, total, freeInodes, inodes } = place;
  const [name = `type 0x${type.toString(16)}`, overlay = true] = fileSystems[type] ?? [];
  const state: Finding = {
    id: "store",
    group: "storage",
    title: "Store",
    status: writable ? "ok" : "missing",
    found: `${root} on ${name}${writable ? "" : ", which this user cannot write to"}`,
    ...(writable
      ? {}
      : {
          consequence: "nothing can be built",
          advice:
            uid === 0
              ? "Choose another directory with --root or KILN_ROOT."
              : "Choose a directory of your own with --root or KILN_ROOT.",
        }),
  };
  const slow: Finding = {
    ...state,
    status: "warning",
    consequence: `overlay does not write on ${name}: layers are copied instead`,
    advice: "Choose a directory on ext4, xfs or btrfs with --root or KILN_ROOT.",
  };
  const fewInodes = inodes > 0 && freeInodes < 100_000;
  const status = free < tooLittle ? "missing" : free < little || fewInodes ? "warning" : "ok";
  const space: Finding = {
    id: "disk",
    group: "storage",
    title: "Disk space",
    status,
    found: `${(free / gigabyte).toFixed(1)} GB free of ${(total / gigabyte).toFixed(1)} GB${fewInodes ? `, only ${freeInodes} files more` : ""}`,
    ...(status === "ok"
      ? {}
      : { advice: "Make room: kiln prune --all, or choose another --root." }),
  };
  return [writable && !overlay ? slow : state, space];
}
