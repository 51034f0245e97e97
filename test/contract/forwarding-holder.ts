// Holds forwarding open in a network namespace of its own, for the test beside it: INTERFACE; says its guard, and waits for input.
import { readdirSync, readFileSync } from "node:fs";
import { findInPath } from "../../src/engine/executor/index.ts";
import { openForwarding } from "../../src/engine/executor/network/forwarding.ts";

const options = {
  interface: process.argv[2] ?? "",
  stepInterface: "kiln",
  iptables: findInPath("iptables", process.env["PATH"] ?? ""),
};
const held = await openForwarding(options);
process.stdout.write(`${held ? (guard() ?? "no guard") : "nothing to do"}\n`);
process.stdin.once("data", async () => {
  await held?.[Symbol.asyncDispose]();
  process.exit(0);
});

/** The process that puts back what was changed. */
function guard(): string | undefined {
  return readdirSync("/proc").find((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return parent === `${process.pid}` && command.includes("kiln-network");
    } catch {
      return false;
    }
  });
}
