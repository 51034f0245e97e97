// The sub-request `frontend.lint`: what the build checks say of a file, without building it.
import { KilnError } from "../../../base/index.ts";
import type { LineRange } from "../ast.ts";
import { openLinter, runConversion } from "../convert/convert.ts";
import type { ConvertIo, ConvertOptions } from "../convert/options.ts";
import { createLinter, type LintWarning } from "../lint/index.ts";
import { excerpt } from "./excerpt.ts";
import { type LocationJson, locationJson } from "./result-json.ts";

/** What `frontend.lint` 1.0.0 answers. */
export interface LintResult {
  readonly warnings: readonly WarningJson[] | null;
  readonly sources: readonly SourceJson[];
  /** Why the file cannot be built at all, as far as that was found without building. */
  readonly buildError?: { readonly message: string; readonly location: LocationJson };
}

export interface WarningJson {
  readonly ruleName: string;
  readonly description: string;
  readonly url: string;
  readonly detail: string;
  readonly location: LocationJson;
}

export interface SourceJson {
  readonly filename: string;
  /** Base64; not there for an empty file. */
  readonly data?: string;
  readonly definition: Record<string, never>;
  readonly language: string;
}

export interface LintAnswer {
  readonly result: LintResult;
  /** The same for people. */
  readonly text: string;
  /** True where warnings are to fail the build, or the file cannot be built. */
  readonly failed: boolean;
}

/** Checks all stages, or those that a target needs. Throws only what is no mistake of the file. */
export async function lintDockerfile(
  data: Uint8Array,
  options: ConvertOptions,
  io: ConvertIo,
): Promise<LintAnswer> {
  const filename = options.filename ?? "Dockerfile";
  const found = { linter: createLinter() };
  const error = await findError(async () => {
    found.linter = openLinter(data, options);
    await runConversion(data, { ...options, allStages: !options.target }, io, found);
  });
  const { warnings, options: checks } = found.linter;
  const source = {
    filename,
    ...(data.length === 0 ? {} : { data: toBase64(data) }),
    definition: {},
    language: "Dockerfile",
  };
  const result: LintResult = {
    warnings: warnings.length === 0 ? null : warnings.map(warningJson),
    sources: [source],
    ...(error === undefined ? {} : { buildError: errorJson(error) }),
  };
  const failed = error !== undefined || (checks.error && warnings.length > 0);
  return { result, text: lintText(warnings, filename, textOf(data)), failed };
}

/** Warnings for people, in the order of the file. */
export function lintText(
  warnings: readonly LintWarning[],
  filename: string,
  source: string,
): string {
  return [...warnings]
    .sort((a, b) => lineOf(a) - lineOf(b))
    .map(
      ({ rule, url, message, at }) =>
        `\nWARNING: ${rule} - ${url}\n${message}\n${excerpt(filename, source, at)}`,
    )
    .join("");
}

async function findError(run: () => Promise<unknown>): Promise<KilnError | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (error instanceof KilnError) return error;
    throw error;
  }
}

function warningJson({ rule, description, url, message, at }: LintWarning): WarningJson {
  return { ruleName: rule, description, url, detail: message, location: locationJson(at) };
}

function errorJson({
  message,
  at,
  others,
  details,
}: KilnError): NonNullable<LintResult["buildError"]> {
  // An error that several instructions make together; of mistakes that the parser found, only the first counts here.
  const same =
    details["parsing"] === undefined ? others.filter((other) => other.message === message) : [];
  const lines = [at, ...same.map((other) => other.at)].flatMap((place): LineRange[] => {
    if (place === undefined) return [];
    const [start, end] = place.statement ?? [place.line, place.endLine ?? place.line];
    return [{ start, end }];
  });
  return { message, location: locationJson(lines.sort((a, b) => a.start - b.start)) };
}

function lineOf({ at }: LintWarning): number {
  return at[0]?.start ?? 0;
}

/** A byte order mark is part of the first line, as for the reference. */
function textOf(data: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(data);
}

function toBase64(data: Uint8Array): string {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text);
}
