// Which distribution this is, and how its packages are installed.
import type { Fix } from "./finding.ts";

export interface Distribution {
  /** `ID` of os-release(5), such as `debian`. */
  readonly id: string;
  /** For people: `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
  readonly family: "debian" | "fedora" | "alpine" | "arch" | "suse" | "other";
}

/** Reads the text of /etc/os-release. */
export function parseDistribution(text: string): Distribution {
  const fields = new Map(
    text.split("\n").flatMap((line) => {
      const match = /^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line.trim());
      return match ? [[match[1] ?? "", match[2] ?? match[3] ?? match[4] ?? ""] as const] : [];
    }),
  );
  const id = fields.get("ID") ?? "linux";
  const words = [id, ...(fields.get("ID_LIKE") ?? "").split(/\s+/)];
  const family = families.find(([, ids]) => ids.some((one) => words.includes(one)))?.[0] ?? "other";
  return { id, name: fields.get("PRETTY_NAME") ?? id, family };
}

const families: readonly (readonly [Distribution["family"], readonly string[]])[] = [
  ["debian", ["debian", "ubuntu"]],
  ["fedora", ["fedora", "rhel", "centos", "amzn"]],
  ["alpine", ["alpine"]],
  ["arch", ["arch"]],
  ["suse", ["suse", "opensuse", "sles", "opensuse-leap", "opensuse-tumbleweed"]],
];

const installers: Readonly<Record<Distribution["family"], string>> = {
  debian: "apt-get install -y",
  fedora: "dnf install -y",
  alpine: "apk add",
  arch: "pacman -S --noconfirm",
  suse: "zypper install -y",
  other: "",
};

/** Names of packages where they are not those of Debian. */
const packageNames: Readonly<Record<string, Partial<Record<Distribution["family"], string>>>> = {
  "fuse-overlayfs": {},
  iproute2: { fedora: "iproute" },
  "openssh-client": { fedora: "openssh-clients", arch: "openssh", suse: "openssh-clients" },
  "qemu-user-static": {
    alpine: "qemu-aarch64 qemu-arm qemu-riscv64 qemu-s390x qemu-ppc64le qemu-x86_64",
    arch: "qemu-user-static",
    suse: "qemu-linux-user",
  },
  uidmap: { fedora: "shadow-utils", alpine: "shadow-uidmap", arch: "shadow", suse: "shadow" },
};

/** The command that installs a package, by Debian's name for it. Undefined where the package manager is not known. */
export function installFix(name: string, { family }: Distribution): Fix | undefined {
  if (family === "other") return undefined;
  const local = packageNames[name]?.[family] ?? name;
  return { commands: [`${installers[family]} ${local}`], root: true, harmless: true };
}
