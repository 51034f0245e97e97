// -v, --mount and --tmpfs of `kiln run`: which files of this machine a program sees, and what memory it gets for files.
import { mkdirSync, statSync } from "node:fs";
import { isAbsolute, posix, resolve } from "node:path";
import { closest, cutPair, type KilnError, readCsv } from "../../../base/index.ts";
import type { RunMount } from "../../../engine/engine.ts";
import { invalidValue, parseSize } from "../../flags/index.ts";
import { namedFileError } from "../build/named-file.ts";

/** As docker reads `HOST:CONTAINER[:OPTIONS]`: a directory that is not there is made, an anonymous volume is memory. */
export function parseVolume(text: string, cwd: string): RunMount {
  const fields = text.split(":");
  const refuse = (why: string, hint?: string) => invalidValue("--volume", text, why, hint);
  if (fields.length === 1) return { ...placeAt(text, refuse), readonly: false, what: memory };
  const [source = "", target = "", options = "", ...more] = fields;
  if (more.length > 0) throw refuse("expected HOST:CONTAINER[:OPTIONS]");
  if (!isAbsolute(source) && !/^[.~]/.test(source)) {
    throw refuse(
      `${JSON.stringify(source)} is no path`,
      "There are no named volumes: write a directory's path, as in ./data:/data.",
    );
  }
  const words = options.split(",").filter(Boolean);
  // What docker's users write for labels and propagation changes nothing here.
  const unknown = words.find((word) => !/^(ro|rw|z|Z|cached|delegated|consistent)$/.test(word));
  if (unknown !== undefined)
    throw refuse(`there is no option ${unknown}`, "Options are ro and rw.");
  const path = resolve(cwd, source);
  makeDirectory(path);
  return {
    ...placeAt(target, refuse),
    readonly: words.includes("ro"),
    what: { type: "path", path },
  };
}

/** As docker reads `type=bind,source=...,target=...,readonly` and `type=tmpfs,target=...,tmpfs-size=...`. */
export function parseMount(text: string, cwd: string): RunMount {
  const refuse = (why: string, hint?: string) => invalidValue("--mount", text, why, hint);
  const values = mountValues(text, refuse);
  const place = placeAt(values.get("target") ?? "", refuse);
  const type = values.get("type") ?? "volume";
  const readonly = isOn(values.get("readonly"), refuse);
  if (type === "tmpfs") {
    const size = values.get("tmpfs-size");
    return { ...place, readonly, what: sizedMemory(size, refuse) };
  }
  if (type !== "bind")
    throw refuse(`there are no mounts of type ${type}`, "Types are bind and tmpfs.");
  const source = values.get("source") ?? "";
  if (source === "") throw refuse("a bind mount needs a source");
  const path = resolve(cwd, source);
  try {
    statSync(path);
  } catch (error) {
    throw namedFileError(error, `the source of --mount ${text}`);
  }
  return { ...place, readonly, what: { type: "path", path } };
}

/** As docker reads `PATH[:OPTIONS]`. */
export function parseTmpfs(text: string): RunMount {
  const refuse = (why: string, hint?: string) => invalidValue("--tmpfs", text, why, hint);
  const [path = "", options = ""] = text.split(":");
  const words = options.split(",").filter(Boolean);
  const size = words.find((word) => word.startsWith("size="))?.slice("size=".length);
  return {
    ...placeAt(path, refuse),
    readonly: words.includes("ro"),
    what: sizedMemory(size, refuse),
  };
}

type Refuse = (why: string, hint?: string) => KilnError;

const memory = { type: "tmpfs" } as const;

const mountKeys: Readonly<Record<string, string>> = {
  type: "type",
  source: "source",
  src: "source",
  target: "target",
  dst: "target",
  destination: "target",
  readonly: "readonly",
  ro: "readonly",
  "tmpfs-size": "tmpfs-size",
};

function mountValues(text: string, refuse: Refuse): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const field of readCsv(text)) {
    const [key, value] = cutPair(field) ?? [field, "true"];
    const known = Object.hasOwn(mountKeys, key) ? mountKeys[key] : undefined;
    if (known === undefined) {
      const near = closest(key, Object.keys(mountKeys));
      throw refuse(`there is no option ${key}`, near && `Did you mean ${near}?`);
    }
    values.set(known, value);
  }
  return values;
}

function sizedMemory(size: string | undefined, refuse: Refuse): RunMount["what"] {
  if (size === undefined) return memory;
  const bytes = parseSize(size);
  if (bytes === undefined || bytes <= 0) throw refuse("expected a size such as 64m");
  return { type: "tmpfs", size: bytes };
}

function isOn(text: string | undefined, refuse: Refuse): boolean {
  if (text === undefined || ["0", "false"].includes(text)) return false;
  if (["1", "true"].includes(text)) return true;
  throw refuse("readonly is true or false");
}

function placeAt(path: string, refuse: Refuse): { readonly target: string } {
  const target = posix.normalize(path);
  if (!path.startsWith("/")) throw refuse("the path in the container must be absolute");
  if (target === "/") throw refuse("the container's root cannot be mounted over");
  return { target };
}

function makeDirectory(path: string): void {
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined)
      mkdirSync(path, { recursive: true });
  } catch (error) {
    throw namedFileError(error, `the volume ${path}`);
  }
}
