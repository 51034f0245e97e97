// Where `kiln build` puts its result: --output, --push and --load together, checked, as export requests and receivers.
import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { ExportRequest } from "../../../api/index.ts";
import { closest, KilnError } from "../../../base/index.ts";
import type { Platform } from "../../../formats/oci/index.ts";
import {
  type Annotation,
  annotationAttr,
  type Output,
  parseBool,
  parseOutputs,
} from "../../flags/index.ts";

/** A local file or directory, or standard output, that takes what an exporter delivers. */
export interface Receiver {
  readonly type: string;
  /** Absolute path, or `-` for standard output. */
  readonly dest: string;
  /** The delivery is unpacked into `dest` instead of written to it. */
  readonly unpack: boolean;
  /** What else is in the directory is removed. */
  readonly replace: boolean;
  /** The delivery goes into a docker engine instead: of this context, else of the one in use. */
  readonly load?: { readonly context?: string };
}

const outputTypes = ["local", "tar", "oci", "docker", "image", "registry", "cacheonly"] as const;
const imageTypes = new Set(["image", "oci", "docker"]);

/** The outputs that the flags ask for; with none, the image is kept in Kiln's own store. */
export function wantedOutputs(values: {
  readonly output: readonly string[];
  readonly push: boolean;
  readonly load: boolean;
}): readonly Output[] {
  const outputs = parseOutputs(values.output).map(asImage);
  if (values.push) addOrMark(outputs, "image", { push: "true" });
  if (values.load) addOrMark(outputs, "docker", {});
  return outputs.length === 0 ? [{ type: "image", attrs: {} }] : outputs;
}

/** `registry` is an image that is pushed. */
function asImage(output: Output): Output {
  if (output.type !== "registry") return output;
  return { ...output, type: "image", attrs: { push: "true", ...output.attrs } };
}

function addOrMark(outputs: Output[], type: string, attrs: Output["attrs"]): void {
  const at = outputs.findIndex((output) => output.type === type && output.dest === undefined);
  const found = outputs[at];
  if (found) outputs[at] = { ...found, attrs: { ...found.attrs, ...attrs } };
  else outputs.push({ type, attrs });
}

export interface OutputsContext {
  readonly tags: readonly string[];
  readonly platforms: readonly Platform[];
  readonly stdoutIsTerminal: boolean;
}

/** What is wrong with the outputs: an empty list when nothing is. */
export function outputMistakes(
  outputs: readonly Output[],
  context: OutputsContext,
): readonly KilnError[] {
  const mistakes = outputs.flatMap((output) => oneOutput(output, context));
  const streams = outputs.filter(
    (output) => isFile(output) && !isLoad(output) && (output.dest ?? "-") === "-",
  );
  if (streams.length > 1)
    mistakes.push(
      mistake(
        "two outputs cannot both be written to standard output",
        "Add dest=FILE to one of them.",
      ),
    );
  return mistakes;
}

function isFile(output: Output): boolean {
  return output.type === "tar" || output.type === "oci" || output.type === "docker";
}

/** An image for a docker engine rather than a file. */
function isLoad({ type, dest }: Output): boolean {
  return type === "docker" && dest === undefined;
}

function oneOutput(
  output: Output,
  { tags, platforms, stdoutIsTerminal }: OutputsContext,
): KilnError[] {
  const { type, dest, attrs } = output;
  if (!outputTypes.some((known) => known === type)) {
    const near = closest(type, outputTypes);
    return [
      mistake(
        `unknown output type ${JSON.stringify(type)}`,
        near === undefined ? `Types are ${outputTypes.join(", ")}.` : `Did you mean type=${near}?`,
      ),
    ];
  }
  const pushes = parseBool(attrs["push"] ?? "") ?? false;
  if (type === "image" && pushes && tags.length === 0 && !attrs["name"]) {
    return [mistake("a name is needed to push to a registry", "Add --tag REGISTRY/NAME:TAG.")];
  }
  if (type === "local" && dest === undefined)
    return [
      mistake("a directory is needed for a local output", "Write --output type=local,dest=DIR."),
    ];
  if (isLoad(output)) return [];
  if (type === "docker" && platforms.length > 1) {
    return [
      mistake(
        "a docker archive holds one platform only",
        "Write type=oci, which holds any number.",
      ),
    ];
  }
  if (isFile(output) && (dest ?? "-") === "-" && stdoutIsTerminal) {
    return [
      mistake(
        `refusing to write a ${type} archive to the terminal`,
        "Add dest=FILE, or redirect standard output.",
      ),
    ];
  }
  return dest === undefined || dest === "-" || type === "local" ? [] : fileMistakes(dest, output);
}

function fileMistakes(dest: string, output: Output): KilnError[] {
  const unpacked = output.type === "oci" && parseBool(output.attrs["tar"] ?? "") === false;
  if (!unpacked && existsSync(dest) && statSync(dest).isDirectory()) {
    return [
      mistake(`output file ${dest} is a directory`, `Name a file in it: dest=${dest}/image.tar.`),
    ];
  }
  const parent = dirname(resolve(dest));
  return existsSync(parent)
    ? []
    : [
        mistake(
          `the directory of output file ${dest} does not exist`,
          `Create it first: mkdir -p ${parent}`,
        ),
      ];
}

function mistake(message: string, hint: string): KilnError {
  return new KilnError("FLAG_INVALID", message, { hint });
}

/** What the builder's exporter is asked. Destinations stay on this side. */
export function exportRequest(
  output: Output,
  tags: readonly string[],
  annotations: readonly Annotation[],
): ExportRequest {
  if (!imageTypes.has(output.type)) return { type: output.type, attrs: output.attrs };
  const named = tags.length > 0 ? { name: tags.join(",") } : {};
  const notes = Object.fromEntries(annotations.map((one) => [annotationAttr(one), one.value]));
  // Where docker's engine is, is this side's affair.
  const { context: _, ...attrs } = output.attrs;
  const own = output.type === "docker" ? attrs : output.attrs;
  // A layout's directory is lent to a daemon as a store of blobs; whoever lends it finds it here.
  const unpacked = output.type === "oci" && parseBool(attrs["tar"] ?? "") === false;
  const place = unpacked && output.dest !== undefined ? { dest: output.dest } : {};
  return { type: output.type, attrs: { ...own, ...named, ...notes, ...place } };
}

/** Who takes what the exporter delivers; undefined for exporters that deliver by themselves. */
export function receiverOf(output: Output, cwd: string): Receiver | undefined {
  if (output.type !== "local" && !isFile(output)) return undefined;
  const dest = output.dest ?? "-";
  return {
    type: output.type,
    dest: dest === "-" && output.type !== "local" ? "-" : resolve(cwd, dest),
    unpack:
      output.type === "local" ||
      (output.type === "oci" && parseBool(output.attrs["tar"] ?? "") === false),
    replace: output.attrs["mode"] === "delete",
    ...(isLoad(output) ? { load: loadOf(output) } : {}),
  };
}

function loadOf({ attrs: { context } }: Output): NonNullable<Receiver["load"]> {
  return context === undefined || context === "" ? {} : { context };
}
