// Judging which network steps of ordinary users get: one of their own, or the machine's.
import { installFix } from "./distribution.ts";
import type { Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** Nothing is said to root, whose steps get one by the kernel alone, nor where no step can run. */
export function judgeStepNetwork({
  isolation,
  tools,
  tun,
  distribution,
}: Facts): readonly Finding[] {
  const { chosen } = isolation;
  if (chosen === undefined || chosen === "root") return [];
  const base = { id: "step-network", group: "network", title: "Network of steps" } as const;
  const consequence = "steps reach what listens on the machine's loopback";
  const shared = (found: string) =>
    ({ ...base, status: "warning", found: `the machine's: ${found}`, consequence }) as const;
  if (chosen === "proot")
    return [{ ...base, status: "info", found: "the machine's, as proot keeps nothing apart" }];
  const carrier = [tools["slirp4netns"], tools["pasta"]].find((tool) => tool?.path !== undefined);
  const install = (name: string) => {
    const fix = installFix(name, distribution);
    return { ...shared(`${name} is not installed`), ...(fix ? { fix } : {}) };
  };
  if (carrier === undefined) return [install("slirp4netns")];
  if (tools["ip"]?.path === undefined) return [install("iproute2")];
  if (tun === "absent") {
    const advice =
      "Load the module (modprobe tun); in a container, give it the device /dev/net/tun.";
    return [{ ...shared("there is no /dev/net/tun"), advice }];
  }
  if (tun === "closed") {
    // As udev sets it; an administrator may have meant otherwise.
    const fix = { commands: ["chmod 0666 /dev/net/tun"], root: true, harmless: false };
    return [{ ...shared("this user cannot open /dev/net/tun"), fix }];
  }
  const by = [carrier.name, carrier.version].filter(Boolean).join(" ");
  return [{ ...base, status: "ok", found: `one for each step, by ${by}` }];
}
