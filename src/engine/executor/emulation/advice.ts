// What to do about a platform whose programs do not run here: which command makes them.
import { KilnError } from "../../../base/index.ts";
import { formatPlatform, formatPlatforms, type Platform } from "../../../formats/oci/index.ts";
import { binfmtDirectory, type HandlerTable, worksInContainers } from "./host-handlers.ts";

/** qemu's names of processors where they are not Go's. */
const processors: Readonly<Record<string, string>> = {
  "386": "i386",
  amd64: "x86_64",
  arm64: "aarch64",
  loong64: "loongarch64",
  mips64le: "mips64el",
  mipsle: "mipsel",
};

/** What was found on this machine. */
export interface Findings {
  readonly table: HandlerTable;
  /** What runs here. */
  readonly platforms: readonly Platform[];
  /** Whether a program of this path exists. */
  readonly exists: (path: string) => boolean;
}

/** The error for a platform that nothing here runs; its hint is the command that helps. */
export function emulatorMissing(platform: Platform, findings: Findings): KilnError {
  const name = formatPlatform(platform);
  const processor = processors[platform.architecture] ?? platform.architecture;
  const { why, hint } = advise(platform, processor, findings);
  return new KilnError(
    "EMULATOR_MISSING",
    `programs for ${name} cannot run on this machine: ${why}`,
    {
      hint,
      details: { platform: name, available: formatPlatforms(findings.platforms) },
    },
  );
}

interface Advice {
  readonly why: string;
  readonly hint: string;
}

function advise(platform: Platform, processor: string, { table, exists }: Findings): Advice {
  if (platform.os !== "linux") {
    return {
      why: `only Linux programs run here`,
      hint: "Choose a linux/... platform for stages with RUN steps.",
    };
  }
  const handler = table.handlers.find(({ architecture }) => architecture === platform.architecture);
  if (handler !== undefined && worksInContainers(handler) && table.enabled) {
    return {
      why: `the emulator ${handler.name} does not have the level ${platform.variant ?? ""} of that processor`,
      hint: `Build for ${formatPlatform({ os: "linux", architecture: platform.architecture })}, or on a machine that has it.`,
    };
  }
  if (handler?.enabled && !worksInContainers(handler)) {
    return {
      why: `the emulator ${handler.name} is registered without the flag F, so the kernel does not find it in containers`,
      hint: `Run as root: echo -1 > ${binfmtDirectory}/${handler.name}; then register ${handler.interpreter} with the flags OPF.`,
    };
  }
  if (handler !== undefined) {
    const file = table.enabled ? handler.name : "status";
    return {
      why: `its emulator ${handler.name} is switched off`,
      hint: `Run as root: echo 1 > ${binfmtDirectory}/${file}`,
    };
  }
  if (exists(`/usr/bin/qemu-${processor}-static`) || exists(`/usr/bin/qemu-${processor}`)) {
    const mount = table.mounted ? "" : `mount -t binfmt_misc binfmt_misc ${binfmtDirectory}; `;
    return {
      why: `the emulator qemu-${processor} is installed but not registered with the kernel`,
      hint: `Run as root: ${mount}update-binfmts --enable qemu-${processor} (or: systemctl restart systemd-binfmt). Without root: install proot, which puts the emulator before every program, and is slower.`,
    };
  }
  return {
    why: `no emulator is registered for ${platform.architecture}`,
    hint: "Install one, as root: apt-get install qemu-user-static binfmt-support (Fedora: dnf install qemu-user-static)",
  };
}
