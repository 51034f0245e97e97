// Judging how programs of other processors run: the machine's handlers, a build's own, and the emulators themselves.
import { worksInContainers } from "../executor/index.ts";
import { installFix } from "./distribution.ts";
import type { Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** Architectures that images are made for. */
const wanted: readonly string[] = ["amd64", "arm64", "arm", "riscv64", "ppc64le", "s390x", "386"];

export function judgeEmulation(facts: Facts): readonly Finding[] {
  return [hostHandlers(facts), privateHandlers(facts), prefixed(facts), emulators(facts)];
}

function hostHandlers({ handlers, machine }: Facts): Finding {
  const base = { id: "binfmt", group: "emulation", title: "Machine's handlers" } as const;
  const { mounted, enabled } = handlers;
  if (!mounted) return { ...base, status: "info", found: "binfmt_misc is not mounted" };
  if (!enabled) return { ...base, status: "info", found: "switched off" };
  const foreign = handlers.handlers.filter(({ architecture }) => architecture !== machine);
  const good = foreign.filter(worksInContainers).map(({ architecture }) => architecture);
  const bad = foreign.filter((handler) => !worksInContainers(handler));
  const shown = wanted.filter((one) => good.includes(one));
  const more = new Set(good).size - shown.length;
  const found = good.length === 0 ? "none" : shown.join(", ") + (more > 0 ? `, ${more} more` : "");
  const [first] = bad;
  if (first === undefined) return { ...base, status: good.length > 0 ? "ok" : "info", found };
  return {
    ...base,
    status: "info",
    found,
    consequence: `${bad.map(({ name }) => name).join(", ")}: off, or without the flag F that containers need`,
  };
}

function privateHandlers({ isolation }: Facts): Finding {
  const base = {
    id: "private-binfmt",
    group: "emulation",
    title: "Private handlers",
  } as const;
  const { works, reason, hint } = isolation.privateHandlers;
  if (works) return { ...base, status: "ok", found: "possible: nothing has to be registered" };
  return {
    ...base,
    status: "info",
    found: reason ?? "not possible",
    ...(hint === undefined ? {} : { advice: hint }),
  };
}

/** What works where the kernel starts no emulators, in containers of steps and without any. */
function prefixed({ tools, isolation, distribution }: Facts): Finding {
  const base = { id: "prefix", group: "emulation", title: "Prefixed programs" } as const;
  const proot = isolation.rungs.find((rung) => rung.isolation === "proot");
  if (proot?.works)
    return { ...base, status: "ok", found: `possible, slower: proot ${tools["proot"]?.version}` };
  const needed = !isolation.privateHandlers.works;
  const fix = tools["proot"]?.path === undefined ? installFix("proot", distribution) : undefined;
  const found = `${proot?.reason ?? "proot does not work"}${needed ? "" : "; not needed here"}`;
  return { ...base, status: "info", found, ...(needed && fix ? { fix } : {}) };
}

/** Needed is at least one way for the processors that images are mostly made for. */
function emulators(facts: Facts): Finding {
  const { emulators: installed, handlers, machine, distribution, isolation } = facts;
  const base = { id: "emulators", group: "emulation", title: "Emulators" } as const;
  const versions = new Map<string, string[]>();
  for (const { architecture, version = "unknown version" } of installed)
    versions.set(version, [...(versions.get(version) ?? []), architecture]);
  const words = [...versions].map(([version, architectures]) => {
    const known = wanted.filter((one) => architectures.includes(one));
    const more = architectures.length - known.length;
    return `qemu ${version}: ${known.join(", ")}${more > 0 ? `, ${more} more` : ""}`;
  });
  const registered = new Set(
    handlers.enabled
      ? handlers.handlers.filter(worksInContainers).map(({ architecture }) => architecture)
      : [],
  );
  const usable = new Set(installed.map(({ architecture }) => architecture));
  const startsEmulators =
    isolation.privateHandlers.works ||
    isolation.rungs.some((rung) => rung.isolation === "proot" && rung.works);
  const runs = (one: string) =>
    one === machine || registered.has(one) || (startsEmulators && usable.has(one));
  const lacking = wanted.filter((one) => !runs(one) && !(one === "386" && machine === "amd64"));
  const found = words.join("; ") || "none installed";
  if (lacking.length === 0) return { ...base, status: "ok", found };
  const fix = lacking.some((one) => !usable.has(one))
    ? installFix("qemu-user-static", distribution)
    : { commands: ["kiln binfmt --install all"], root: true, harmless: false };
  return {
    ...base,
    status: "warning",
    found,
    consequence: `programs for ${lacking.join(", ")} cannot run here`,
    ...(fix ? { fix } : { advice: "Install qemu-user-static." }),
  };
}
