// The devices of this machine that steps may ask for: read from the directories of the Container Device Interface.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { closest, KilnError, log } from "../../../base/index.ts";
import type { ExecMount, ProcessSpec } from "../executor.ts";
import { type CdiDevice, type CdiDocument, type CdiEdits, readCdiDocument } from "./document.ts";

const debug = log("cdi");

/** As `[cdi]` of buildkitd.toml has it. */
export interface CdiOptions {
  readonly disabled?: boolean;
  /** Later ones win; `/etc/cdi`, `/var/run/cdi` and `/etc/buildkit/cdi` where absent. */
  readonly specDirs?: readonly string[];
  /** Kinds and names of devices that steps may use without being allowed to. */
  readonly autoAllowed?: readonly string[];
}

export const cdiDirectories: readonly string[] = ["/etc/cdi", "/var/run/cdi", "/etc/buildkit/cdi"];

/** One that a step asks for: `vendor.com/class=name`, `vendor.com/class=*`, `vendor.com/class` for the first, or a class. */
export interface WantedDevice {
  readonly name: string;
  readonly optional: boolean;
}

export interface Device {
  /** `vendor.com/class=name`. */
  readonly name: string;
  readonly autoAllow: boolean;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a process is given, on top of its own. */
export interface LentDevices
  extends Required<Pick<ProcessSpec, "env" | "additionalGids" | "hooks">> {
  readonly mounts: readonly ExecMount[];
}

interface Known extends Device {
  readonly device: CdiDevice;
  readonly document: CdiDocument;
}

interface Found {
  readonly devices: readonly Known[];
  /** Files that could not be read, with why. */
  readonly broken: readonly string[];
}

/** Devices come and go while a daemon runs; in milliseconds. */
const freshFor = 2000;

const autoAllowAnnotation = "org.mobyproject.buildkit.device.autoallow";
const classAnnotation = "org.mobyproject.buildkit.device.class";

/** Larger files, and more of them, are not read. */
const maxFileSize = 4 * 1024 * 1024;
const maxFiles = 1000;

/** Reads the directories when it is first asked, and not again for a while. */
export class CdiDevices {
  readonly #options: CdiOptions;
  #known: Found | undefined;
  #readAt = 0;

  constructor(options: CdiOptions = {}) {
    this.#options = options;
  }

  list(): readonly Device[] {
    const { devices } = this.#read();
    return devices.map(({ name, autoAllow, annotations }) => ({ name, autoAllow, annotations }));
  }

  /** Whether everything that is meant may be used by anybody. */
  isAutoAllowed(wanted: string): boolean {
    const { devices } = this.#read();
    const meant = matches(devices, wanted);
    return meant.length > 0 && meant.every(({ autoAllow }) => autoAllow);
  }

  /** Throws `DEVICE_NOT_FOUND` for one that is required. */
  lend(wanted: readonly WantedDevice[]): LentDevices {
    const { devices, broken } = this.#read();
    const chosen = wanted.flatMap(({ name, optional }) => {
      const found = matches(devices, name);
      if (found.length === 0 && !optional) throw notFound(name, devices, broken);
      return found;
    });
    const edits = new Set<CdiEdits>(chosen.map(({ document }) => document.edits));
    for (const { device } of chosen) edits.add(device.edits);
    return lentBy([...edits]);
  }

  #read(): Found {
    if (this.#known && performance.now() - this.#readAt < freshFor) return this.#known;
    const { disabled = false, specDirs = cdiDirectories, autoAllowed = [] } = this.#options;
    const broken: string[] = [];
    const found = new Map<string, Known>();
    for (const directory of disabled ? [] : specDirs) {
      const here = new Map<string, Known>();
      for (const file of filesOf(directory)) {
        try {
          const document = readSpec(file);
          for (const known of devicesOf(document, autoAllowed)) {
            if (here.has(known.name))
              throw new Error(`${known.name} is described twice in ${directory}`);
            here.set(known.name, known);
          }
        } catch (error) {
          // One vendor's mistake does not cost the devices of the others.
          const why = error instanceof Error ? error.message : String(error);
          debug.debug("not a specification of devices", { file, why });
          broken.push(`${file}: ${why}`);
        }
      }
      for (const [name, known] of here) found.set(name, known);
    }
    const devices = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#readAt = performance.now();
    this.#known = { devices, broken };
    return this.#known;
  }
}

function filesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((name) => /\.(json|ya?ml)$/.test(name))
      .sort()
      .slice(0, maxFiles)
      .map((name) => join(directory, name));
  } catch (error) {
    debug.debug("no devices here", { directory, error: String(error) });
    return [];
  }
}

function readSpec(file: string): CdiDocument {
  const { size } = statSync(file);
  if (size > maxFileSize) throw new Error(`larger than ${maxFileSize} bytes`);
  const text = readFileSync(file, "utf8");
  if (file.endsWith(".json")) return readCdiDocument(JSON.parse(text));
  // Few machines have devices for builds: loaded when one has, beside the program.
  const { parse } = createRequire(import.meta.url)("yaml") as typeof import("yaml");
  return readCdiDocument(parse(text, { maxAliasCount: 100 }));
}

function devicesOf(document: CdiDocument, autoAllowed: readonly string[]): readonly Known[] {
  return document.devices.map((device) => {
    const name = `${document.kind}=${device.name}`;
    const annotations = { ...document.annotations, ...device.annotations };
    const autoAllow =
      annotations[autoAllowAnnotation] === "true" ||
      autoAllowed.includes(name) ||
      autoAllowed.includes(document.kind);
    return { name, autoAllow, annotations, device, document };
  });
}

function matches(devices: readonly Known[], wanted: string): readonly Known[] {
  const [kind = "", name] = splitOnce(wanted);
  if (!kind.includes("/"))
    return devices.filter((one) => one.annotations[classAnnotation] === wanted);
  const ofKind = devices.filter(({ document }) => document.kind === kind);
  if (name === undefined || name === "") return ofKind.slice(0, 1);
  return name === "*" ? ofKind : ofKind.filter(({ device }) => device.name === name);
}

/** Whether a grant of `device=GRANT` is for what is wanted: the same device, or any of its kind. */
export function isSameOrKind(grant: string, wanted: string): boolean {
  return (
    grant === wanted || grant === splitOnce(wanted)[0] || grant === `${splitOnce(wanted)[0]}=*`
  );
}

function splitOnce(text: string): readonly [string, string | undefined] {
  const at = text.indexOf("=");
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function notFound(name: string, devices: readonly Known[], broken: readonly string[]): KilnError {
  const names = devices.map((one) => one.name);
  const near = closest(name, names);
  const hint = [
    ...(near === undefined ? [] : [`Did you mean ${near}?`]),
    ...(broken.length === 0 ? [] : [`Not read: ${broken.slice(0, 3).join("; ")}.`]),
  ].join(" ");
  return new KilnError("DEVICE_NOT_FOUND", `required CDI device "${name}" is not registered`, {
    hint:
      hint ||
      `Put its specification into ${cdiDirectories[0]}, or name its directory in [cdi] specDirs.`,
  });
}

function lentBy(edits: readonly CdiEdits[]): LentDevices {
  const all = <T>(part: (one: CdiEdits) => readonly T[]) => edits.flatMap(part);
  return {
    env: all(({ env }) => env),
    additionalGids: [...new Set(all(({ groups }) => groups))],
    hooks: all(({ hooks }) => hooks),
    mounts: [
      ...all(({ nodes }) => nodes).map(({ path, hostPath, readonly }) => ({
        target: path,
        readonly,
        what: { type: "directory", path: hostPath, devices: true } as const,
      })),
      ...all(({ mounts }) => mounts).map(({ hostPath, containerPath, readonly }) => ({
        target: containerPath,
        readonly,
        what: { type: "directory", path: hostPath } as const,
      })),
    ],
  };
}
