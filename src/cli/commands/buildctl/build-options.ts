// What buildctl build's repeated flags say, read as the reference reads them.
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Attrs, ExportRequest } from "../../../api/index.ts";
import { cutPair, KilnError, parseBool, readCsv } from "../../../base/index.ts";
import { parseReference } from "../../../formats/oci/index.ts";
import type { Output as OutputStream } from "../../report/index.ts";
import { completeEntry } from "../build/caches.ts";
import type { Receiver } from "../build/outputs.ts";

function invalid(message: string, hint?: string): KilnError {
  return new KilnError("FLAG_INVALID", message, hint === undefined ? {} : { hint });
}

/** `--opt` and `--frontend-opt`. A build argument without a value has the environment's. */
export function readOpts(
  texts: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Attrs {
  const attrs: Record<string, string> = {};
  for (const text of texts) {
    const [key, value] = cutPair(text) ?? [text, undefined];
    if (value !== undefined) attrs[key] = value;
    else if (!key.startsWith("build-arg:")) throw invalid(`invalid opt: invalid value ${text}`);
    else {
      const found = env[key.slice("build-arg:".length)];
      if (found !== undefined) attrs[key] = found;
    }
  }
  return attrs;
}

/** `--local NAME=DIR` and `--oci-layout NAME=DIR`, to absolute paths of directories that are there. */
export function readDirectories(
  texts: readonly string[],
  flag: "local" | "oci-layout",
  cwd: string,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const pair = cutPair(text);
    if (!pair) throw invalid(`invalid ${flag}: invalid value ${text}`, `Write --${flag} NAME=DIR.`);
    const path = resolve(cwd, pair[1]);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (!stats) throw invalid(`invalid ${flag}: stat ${pair[1]}: no such file or directory`);
    if (!stats.isDirectory()) throw invalid(`invalid ${flag}: ${pair[1]} not a directory`);
    found.set(pair[0], path);
  }
  return found;
}

/** An output, and who takes it on this side; undefined for exporters that deliver by themselves. */
export interface WantedOutput {
  readonly request: ExportRequest;
  readonly receiver: Receiver | undefined;
}

export interface OutputsAsked {
  readonly output: readonly string[];
  /** The legacy pair of flags. */
  readonly exporter: string;
  readonly "exporter-opt": readonly string[];
}

/** Throws `FLAG_INVALID`. Nothing is created. */
export function readOutputs(
  asked: OutputsAsked,
  cwd: string,
  stdout: OutputStream,
): readonly WantedOutput[] {
  const { output, exporter, "exporter-opt": options } = asked;
  if (exporter === "") {
    if (options.length > 0) throw invalid("--exporter-opt requires --exporter");
    return output.map((text) => {
      const { type, attrs } = readEntry(text, "output");
      if (attrs["output"] !== undefined) {
        const value = attrs["output"];
        throw invalid(`output=${value} not supported for --output, you meant dest=${value}?`);
      }
      return wanted(type, attrs, cwd, stdout);
    });
  }
  if (output.length > 0) throw invalid("--exporter cannot be used with --output");
  const { output: dest, ...attrs } = pairsOf(options, "exporter-opt");
  return [wanted(exporter, { ...attrs, ...(dest === undefined ? {} : { dest }) }, cwd, stdout)];
}

/** `type=TYPE,KEY=VALUE…`; keys in lower case. */
function readEntry(text: string, flag: string): ExportRequest {
  const { type = "", ...attrs } = pairsOf(readCsv(text), flag);
  if (type === "") throw invalid(`--${flag} requires type=<type>`);
  return { type, attrs };
}

function pairsOf(fields: readonly string[], flag: string): Record<string, string> {
  const attrs: Record<string, string> = {};
  for (const field of fields) {
    const pair = cutPair(field);
    if (!pair) throw invalid(`invalid value ${field} for --${flag}`, "Write KEY=VALUE.");
    attrs[pair[0].toLowerCase()] = pair[1];
  }
  return attrs;
}

function wanted(type: string, all: Attrs, cwd: string, stdout: OutputStream): WantedOutput {
  const { dest = "", ...attrs } = all;
  const wrong = (why: string, hint?: string) => invalid(`invalid output option: ${why}`, hint);
  const unpacked =
    type === "local" ||
    ((type === "oci" || type === "docker") && parseBool(attrs["tar"] ?? "") === false);
  const delivers = unpacked || ["tar", "oci", "docker"].includes(type);
  if (!delivers) {
    if (dest !== "") throw wrong(`output ${dest} is not supported by ${type} exporter`);
    checkNames(attrs["name"] ?? "");
    return { request: { type, attrs }, receiver: undefined };
  }
  if (unpacked && dest === "") throw wrong(`output directory is required for ${type} exporter`);
  if (!unpacked && (dest === "" || dest === "-") && stdout.isTerminal)
    throw wrong(`output file is required for ${type} exporter. refusing to write to console`);
  const path = unpacked || (dest !== "" && dest !== "-") ? resolve(cwd, dest) : "-";
  if (!unpacked && path !== "-" && existsSync(path) && statSync(path).isDirectory())
    throw wrong("destination file is a directory", `Name a file in it: dest=${dest}/image.tar.`);
  const replace = type === "local" && attrs["mode"] === "delete";
  // A layout's directory is lent as a store of blobs; whoever lends it finds it here.
  const place = unpacked && type !== "local" ? { dest: path } : {};
  return {
    request: { type, attrs: { ...attrs, ...place } },
    receiver: { type, dest: path, unpack: unpacked, replace },
  };
}

/** A name with an empty part is most often a shell variable that is not set. */
function checkNames(names: string): void {
  for (const name of names.split(",").filter((one) => one !== "")) {
    try {
      parseReference(name);
    } catch (cause) {
      const hollow = /\/\/|\/:|\/$|:$|:[-.]|[-.]$|[-_.]\/|^[/:]/.test(name);
      throw new KilnError(
        "REFERENCE_INVALID",
        `invalid image name ${JSON.stringify(name)}${hollow ? ": a part of it is empty" : ""}`,
        {
          cause,
          ...(hollow ? { hint: "Is a variable of the command line not set?" } : {}),
        },
      );
    }
  }
}

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** `--export-cache` with its legacy options: `type=…`, or a bare reference. */
export function readCacheExports(
  texts: readonly string[],
  legacy: readonly string[],
  { env, cwd }: Surroundings,
): readonly ExportRequest[] {
  const more = pairsOf(legacy, "export-cache-opt");
  if (legacy.length > 0 && texts.length === 0)
    throw invalid("--export-cache-opt requires --export-cache");
  return texts.map((text) => {
    const { type, attrs } = isBare(text) ? bareCache(text) : readEntry(text, "export-cache");
    const all: Attrs = { mode: "min", ...more, ...attrs };
    const given = attrs["mode"] ?? more["mode"] ?? "min";
    if (!["min", "max"].includes(given))
      throw invalid(`unsupported cache mode ${given}`, "Modes are min and max.");
    return completeEntry({ type, attrs: all }, env, cwd);
  });
}

/** `--import-cache`: `type=…`, or a bare reference. */
export function readCacheImports(
  texts: readonly string[],
  { env, cwd }: Surroundings,
): readonly ExportRequest[] {
  return texts.map((text) => {
    if (isBare(text)) return bareCache(text);
    const { type, attrs } = readEntry(text, "import-cache");
    return completeEntry({ type, attrs }, env, cwd);
  });
}

function isBare(text: string): boolean {
  return readCsv(text).every((field) => !field.includes("="));
}

function bareCache(ref: string): ExportRequest {
  return { type: "registry", attrs: { ref } };
}
