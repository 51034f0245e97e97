// What a bake may touch beyond its directory: files are written by whoever wrote the bake file, so more is asked for, or
// granted by `--allow`.
import { existsSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { KilnError, parseBool } from "../../../base/index.ts";
import { type RunWorld, standsInForBuildx } from "../command.ts";
import type { PlannedTarget } from "./plan-targets.ts";

/** One thing that is asked for, as `--allow` names it. */
interface Wanted {
  readonly flag: string;
  /** For people. */
  readonly what: string;
}

/** What `--allow` grants. Paths are absolute, with links followed. */
interface Allowed {
  readonly words: ReadonlySet<string>;
  readonly read: readonly string[];
  readonly write: readonly string[];
}

const words = [
  "network.host",
  "security.insecure",
  "device",
  "ssh",
  "image",
  "image.push",
  "image.load",
  "buildx.local.delete",
];
/** Stands for every path. */
const everything = "*";

/**
 * Asks for what targets want and nobody has granted; on a terminal people answer, elsewhere it is refused. Throws
 * `BAKE_DENIED`.
 */
export async function checkAllowed(
  planned: ReadonlyMap<string, PlannedTarget>,
  flags: readonly string[],
  world: RunWorld,
): Promise<void> {
  const allowed = readAllowed(flags, world.cwd);
  const all = [...planned.values()].flatMap((one) => wantedBy(one, world));
  const missing = [...new Map(all.map((one) => [one.flag, one])).values()].filter(
    ({ flag }) => !isAllowed(flag, allowed),
  );
  if (missing.length === 0) return;
  const granting = `--allow ${missing.map(({ flag }) => quoted(flag)).join(" --allow ")}`;
  const list = missing.map(({ what }) => ` - ${what}\n`).join("");
  world.stderr.write(
    `Your build is requesting privileges for following possibly insecure capabilities:\n\n${list}\n`,
  );
  if (world.stdin.isTerminal && world.stderr.isTerminal && (await agrees(world))) return;
  if (standsInForBuildx(world)) sayHowToGrant(missing, world);
  throw new KilnError("BAKE_DENIED", "additional privileges requested", {
    hint: `Grant them with ${granting}, if you trust the file.`,
  });
}

/** What buildx advises, with the whole command line. */
function sayHowToGrant(missing: readonly Wanted[], { stderr, line = [] }: RunWorld): void {
  const flags = missing.map(({ flag }) => `--allow=${flag}`);
  const at = line.findIndex((word) => word === "bake" || word === "f");
  const full = [...line.slice(0, at + 1), ...flags, ...line.slice(at + 1)];
  const off = missing.some(({ flag }) => flag.startsWith("fs."))
    ? "To disable filesystem entitlements checks, you can set BUILDX_BAKE_ENTITLEMENTS_FS=0 .\n\n"
    : "";
  const words = full.map((word) => (/[\s"'$&|;<>()*?]/.test(word) ? JSON.stringify(word) : word));
  stderr.write(
    `Pass ${JSON.stringify(flags.join(" "))} to grant requested privileges.\n\n${off}Your full command with requested privileges:\n\nbuildx ${words.join(" ")}\n\n`,
  );
}

function quoted(flag: string): string {
  return /^[\w./=-]+$/.test(flag) ? flag : `'${flag.replaceAll("'", "'\\''")}'`;
}

async function agrees(world: RunWorld): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(
      "Do you want to grant requested privileges and continue? [y/N] ",
      { signal: world.call.signal },
    );
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

function readAllowed(flags: readonly string[], cwd: string): Allowed {
  const granted = new Set<string>();
  const read: string[] = [];
  const write: string[] = [];
  for (const flag of flags) {
    const [, key = flag, path] = /^(fs(?:\.read|\.write)?)(?:=(.*))?$/s.exec(flag) ?? [];
    if (key.startsWith("fs")) {
      if (!path) throw unknownEntitlement(flag);
      const place = path === everything ? everything : realPlace(resolve(cwd, path));
      if (key !== "fs.write") read.push(place);
      if (key !== "fs.read") write.push(place);
    } else if (words.includes(flag) || flag.startsWith("device=")) granted.add(flag);
    else throw unknownEntitlement(flag);
  }
  return { words: granted, read, write };
}

function unknownEntitlement(flag: string): KilnError {
  return new KilnError("FLAG_INVALID", `unknown entitlement key ${JSON.stringify(flag)}`, {
    hint: `Write one of ${words.join(", ")}, or fs=PATH, fs.read=PATH, fs.write=PATH.`,
  });
}

function isAllowed(flag: string, { words: granted, read, write }: Allowed): boolean {
  const [, kind, path = ""] = /^fs\.(read|write)=(.*)$/s.exec(flag) ?? [];
  if (kind === undefined) return granted.has(flag);
  const places = kind === "read" ? read : write;
  return places.some((place) => place === everything || isInside(path, place));
}

/** Everything that the plan of a target touches outside the current directory. */
function wantedBy(planned: PlannedTarget, { cwd, env }: RunWorld): readonly Wanted[] {
  const { plan, target } = planned;
  const wanted: Wanted[] = [];
  for (const one of plan.entitlements) {
    if (one === "network.host")
      wanted.push({ flag: one, what: "Running build containers that can access host network" });
    else if (one === "security.insecure")
      wanted.push({
        flag: one,
        what: "Running privileged containers that can make system changes",
      });
    else wanted.push({ flag: one, what: `Using ${one}` });
  }
  if ((target.fields.ssh ?? []).some(({ paths }) => paths === undefined))
    wanted.push({ flag: "ssh", what: "Forwarding default SSH agent socket" });
  // The environment may say that files are no matter: for who runs bakes where nothing else is.
  if (parseBool(env["BUILDX_BAKE_ENTITLEMENTS_FS"] ?? "") === false) return wanted;
  const root = realPlace(cwd);
  const outside = (paths: readonly string[], kind: "read" | "write", what: string) => {
    for (const place of new Set(paths.map((path) => realPlace(resolve(cwd, path)))))
      if (!isInside(place, root))
        wanted.push({
          flag: `fs.${kind}=${place}`,
          what: `${what} access to path ${shown(place, root)}`,
        });
  };
  outside(readPaths(planned), "read", "Read");
  outside(writtenPaths(plan), "write", "Write");
  return wanted;
}

function readPaths({ plan, own, target: { fields } }: PlannedTarget): string[] {
  return [
    ...own.values(),
    ...plan.layouts.values(),
    ...plan.secrets.flatMap(({ src }) => (src === undefined ? [] : [src])),
    ...(fields.ssh ?? []).flatMap(({ paths }) => (Array.isArray(paths) ? paths : [])),
    ...plan.cacheImports.flatMap(({ type, attrs }) =>
      type === "local" && attrs["src"] !== undefined ? [attrs["src"]] : [],
    ),
  ];
}

function writtenPaths({ receivers, cacheExports }: PlannedTarget["plan"]): string[] {
  return [
    ...receivers.flatMap((one) => (one && one.dest !== "-" && !one.load ? [one.dest] : [])),
    ...cacheExports.flatMap(({ type, attrs }) =>
      type === "local" && attrs["dest"] !== undefined ? [attrs["dest"]] : [],
    ),
  ];
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way === "" || (!way.startsWith("..") && !isAbsolute(way));
}

function shown(path: string, root: string): string {
  const way = relative(root, path);
  return way.split("/").filter((part) => part === "..").length > 3 ? path : way;
}

/** The path with links followed as far as it exists: what does not can lead nowhere else. */
function realPlace(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realPlace(parent), relative(parent, path));
}
