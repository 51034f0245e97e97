// kiln doctor: what builds need on this machine, what is there, and what to do about the rest.
import { KilnError } from "../../../base/index.ts";
import type { Finding } from "../../../engine/doctor/index.ts";
import { isLoopback } from "../../../storage/http/index.ts";
import { openClientConfig } from "../builders/client-config.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";

/** Asked where no configuration names a mirror. */
const hub: string = "https://registry-1.docker.io/v2/";

/** Longer lines are hard to read, however wide the terminal. */
const widest = 110;

export const doctor: Command = defineCommand({
  spec: {
    path: ["doctor"],
    args: { min: 0, max: 0 },
    summary: "Check what builds need on this machine",
    about:
      "Looks at the kernel, user namespaces, emulators, control groups, disk, network and credentials, and says of each finding what follows from it and which command puts it right. Changes nothing, unless asked with --fix. The exit code is 1 when something that builds need is missing.",
    examples: [
      { what: "Look at everything", run: "kiln doctor" },
      { what: "Put right what can be, without questions", run: "sudo kiln doctor --fix --yes" },
      { what: "For programs", run: "kiln doctor --format json" },
    ],
    flags: {
      fix: { type: "bool", usage: "Do what can be done without harm, asking first" },
      format: { type: "string", value: "pretty|json", usage: "Format the output" },
      offline: { type: "bool", usage: "Do not ask any registry" },
      yes: { type: "bool", short: "y", usage: "With --fix: do not ask" },
    },
  },
  async run({ values }, _args, world) {
    const print = await printer(values.format, world);
    const { isBroken } = await import("../../../engine/doctor/index.ts");
    const find = () => allFindings(world, values.offline);
    let findings = await find();
    print(findings);
    if (values.fix && (await fixed(findings, values.yes, world))) {
      findings = await find();
      print(findings);
    }
    return isBroken(findings) ? 1 : 0;
  },
});

async function allFindings(world: RunWorld, offline: boolean): Promise<readonly Finding[]> {
  const { examine } = await import("../../../engine/doctor/index.ts");
  const { judgeClient } = await import("./doctor-client.ts");
  const { root, hosts } = await openClientConfig(world);
  const found = await examine(
    {
      root,
      environment: world.env,
      now: world.now,
      registry: offline ? undefined : registryUrl(hosts["docker.io"]?.mirrors?.[0]),
    },
    world.call,
  );
  return [...found, ...judgeClient(world)];
}

/** The hub, or the first that stands in for it. */
function registryUrl(mirror: string | undefined): URL {
  if (mirror === undefined) return new URL(hub);
  const [host = ""] = mirror.split("/");
  const url = new URL(`https://${host}/v2/`);
  return isLoopback(url.hostname) ? new URL(`http://${host}/v2/`) : url;
}

/** Whether anything was changed. */
async function fixed(
  findings: readonly Finding[],
  yes: boolean,
  world: RunWorld,
): Promise<boolean> {
  const { applyFixes, fixesOf } = await import("./doctor-fix.ts");
  const commands = fixesOf(findings, process.geteuid?.() ?? 0);
  if (commands.length > 0) return (await applyFixes(commands, yes, world)) > 0;
  const byRoot = fixesOf(findings, 0).length > 0;
  world.stderr.write(
    byRoot
      ? "What can be put right needs root: run the commands after # above as root.\n"
      : "There is nothing that can be put right from here.\n",
  );
  return false;
}

type Printer = (findings: readonly Finding[]) => void;

async function printer(format: string, { stdout }: RunWorld): Promise<Printer> {
  if (format === "json") {
    return (findings) => {
      const ok = findings.every(({ status }) => status !== "missing");
      stdout.write(`${JSON.stringify({ ok, findings }, undefined, 2)}\n`);
    };
  }
  if (format !== "" && format !== "pretty") {
    throw new KilnError("FLAG_INVALID", `invalid value ${JSON.stringify(format)} for --format`, {
      hint: "Formats are pretty and json.",
    });
  }
  const { findingLines } = await import("./doctor-text.ts");
  return (findings) => {
    const lines = findingLines(findings, stdout.style, Math.min(stdout.columns, widest));
    stdout.write(lines.map((line) => `${line}\n`).join(""));
  };
}
