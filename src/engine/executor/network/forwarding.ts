// Letting the machine pass packets on between steps and the world, and putting that back however we end.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";

/** Holds forwarding open. Disposing puts back what was changed, unless another process still needs it. */
export type Forwarding = AsyncDisposable;

const directory = "/run/kiln";

/**
 * A process of its own, because nothing else outlives kill -9: it waits for its input to end, which it does when we do. All
 * that hold forwarding open share a lock; the last one puts back. A shell that reads a switch byte by byte gets its first digit
 * and is told of the end then, which is no failure. `$1` lock, `$2` interface's switch or "", `$3` iptables
 * or "", `$4` begin of the names of interfaces to steps.
 */
const guard = `
exec 9>>"$1" || exit 1
flock -s 9 || exit 1
[ -z "$2" ] || read -r was <"$2"
if [ -n "$2" ] && [ "$was" = 0 ]; then echo 1 > "$2" || exit 1; echo off >> "$1"; fi
if [ -n "$3" ]; then
  for way in "-i $4+" "-o $4+"; do
    "$3" -w -C FORWARD $way -m comment --comment kiln -j ACCEPT 2>/dev/null ||
      "$3" -w -I FORWARD $way -m comment --comment kiln -j ACCEPT || exit 1
  done
fi
echo ready
read -r _
flock -n -x 9 || exit 0
if [ -n "$3" ]; then
  for way in "-i $4+" "-o $4+"; do "$3" -w -D FORWARD $way -m comment --comment kiln -j ACCEPT; done
fi
if [ -n "$2" ] && [ -s "$1" ]; then echo 0 > "$2"; : > "$1"; fi
`;

export interface ForwardingOptions {
  /** That leads out. */
  readonly interface: string;
  /** Begin of the names of the interfaces to steps. */
  readonly stepInterface: string;
  /** Absolute; undefined where it is not installed. */
  readonly iptables: string | undefined;
}

/** Undefined when nothing has to be changed. Rejects where it cannot be changed. */
export async function openForwarding(options: ForwardingOptions): Promise<Forwarding | undefined> {
  const switchFile = `/proc/sys/net/ipv4/conf/${options.interface}/forwarding`;
  const isOff = readFileSync(switchFile, "utf8").trim() === "0";
  const refused = options.iptables !== undefined && (await isRefused(options.iptables));
  if (!isOff && !refused)
    return isHeld() ? await startGuard(options, switchFile, refused) : undefined;
  return await startGuard(options, switchFile, refused);
}

/** Another process switched it on, and would switch it off under us. */
function isHeld(): boolean {
  try {
    return readFileSync(`${directory}/forwarding.lock`, "utf8").includes("off");
  } catch {
    return false;
  }
}

async function startGuard(
  { stepInterface, iptables = "" }: ForwardingOptions,
  switchFile: string,
  refused: boolean,
): Promise<Forwarding> {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const args = ["-c", guard, "kiln-network"];
  args.push(`${directory}/forwarding.lock`, switchFile, refused ? iptables : "", stepInterface);
  const child = spawn("/bin/sh", args, {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
    cwd: "/",
    env: { PATH: process.env["PATH"] },
  });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const ready = await new Promise<boolean>((resolve) => {
    child.once("error", () => resolve(false));
    child.once("close", () => resolve(false));
    child.stdout.once("data", () => resolve(true));
  });
  if (!ready) throw new Error(`${switchFile} cannot be switched on`);
  const handles = [child, child.stdin, child.stdout] as unknown as readonly Referable[];
  for (const one of handles) one.unref?.();
  return {
    async [Symbol.asyncDispose]() {
      for (const one of handles) one.ref?.();
      child.stdin.end();
      await gone;
    },
  };
}

/** Processes and sockets; the types of Node hide that pipes are sockets. */
interface Referable {
  ref?(): void;
  unref?(): void;
}

/** Docker and firewalls leave the decision to a rule that says yes, and refuse otherwise. */
async function isRefused(iptables: string): Promise<boolean> {
  const child = spawn(iptables, ["-w", "-S", "FORWARD"], { stdio: ["ignore", "pipe", "ignore"] });
  const exited = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("close", () => resolve());
  });
  let text = "";
  const output: Readable = child.stdout;
  output.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await exited;
  return /^-P FORWARD (DROP|REJECT)/m.test(text) || /^-A FORWARD .*-j (DROP|REJECT)/m.test(text);
}
