// Dockerfiles to LLB: ops, their bytes and digests, image configurations, warnings and errors, against the neighbours' answers.
import { isKilnError, type KilnError } from "../../src/base/index.ts";
import {
  type ConvertIo,
  type ConvertOptions,
  convertDockerfile,
  type LintWarning,
  lintDockerfile,
  listTargets,
  outlineDockerfile,
  rangesOf,
} from "../../src/formats/dockerfile/index.ts";
import { type Definition, readDefinition } from "../../src/formats/llb/index.ts";
import {
  formatPlatformFully,
  type ImageConfig,
  parsePlatform,
} from "../../src/formats/oci/index.ts";
import { checkRows, differs, fileOf, type Row } from "./rows.ts";

checkRows("dockerfile-llb", checkConversion);
checkRows("corpus-llb", checkConversion);
checkRows("dockerfile-lint", checkLint);
checkRows("corpus-lint", checkLint);
checkRows("dockerfile-outline", checkOutline);
checkRows("corpus-outline", checkOutline);

const buildPlatform = { os: "linux", architecture: "amd64" };

interface ExpectedError {
  readonly message: string;
  readonly locations?: readonly (readonly (readonly number[])[])[];
}

interface Expected {
  readonly images?: Readonly<
    Record<string, { readonly digest: string; readonly config: unknown; readonly logName: string }>
  >;
  readonly error?: ExpectedError;
  readonly def?: { readonly ops?: readonly ExpectedOp[]; readonly locations?: unknown };
  readonly image?: unknown;
  readonly lint?: readonly unknown[];
  readonly epoch?: number;
  readonly sbomExtras?: readonly string[];
  readonly results?: {
    readonly warnings: readonly unknown[] | null;
    readonly sources: unknown;
    readonly buildError?: { readonly location: unknown };
  };
  readonly text?: string;
  readonly outline?: { readonly args?: readonly unknown[] };
  readonly targets?: unknown;
}

interface ExpectedOp {
  readonly digest: string;
  readonly bytes: string;
  readonly metadata: unknown;
}

async function checkConversion(row: Row): Promise<unknown> {
  const out = row.out as Expected;
  const wrongNames: string[] = [];
  try {
    const result = await convertDockerfile(fileOf(row), optionsOf(row), replay(out, wrongNames));
    if (out.error) return `accepted, expected ${out.error.message}`;
    if (wrongNames.length > 0) return wrongNames[0];
    if (result.definition) readDefinition(result.definition);
    return differs(
      {
        ops:
          out.def?.ops?.map(({ digest, bytes, metadata }) => ({ digest, bytes, metadata })) ?? [],
        locations: out.def?.locations ?? {},
        image: withoutEmpty(out.image),
        warnings: sorted(out.lint ?? []),
        sbomExtras: out.sbomExtras ?? [],
        ...(out.epoch === undefined ? {} : { epoch: out.epoch }),
      },
      {
        ops:
          result.definition?.ops.map(({ digest, bytes, metadata }) => ({
            digest,
            bytes: base64(bytes),
            metadata: metadataJson(metadata),
          })) ?? [],
        locations: locationsJson(result.definition),
        image: withoutEmpty(result.image),
        warnings: sorted(result.warnings.map(warningJson)),
        sbomExtras: [...result.sbomExtras.keys()],
        ...(result.epoch ? { epoch: result.epoch.getTime() / 1000 } : {}),
      },
    );
  } catch (error) {
    return checkError(out.error, error);
  }
}

async function checkLint(row: Row): Promise<unknown> {
  const out = row.out as Expected;
  const expected = out.results;
  const { result, text } = await lintDockerfile(fileOf(row), optionsOf(row), replay(out, []));
  const { buildError } = result;
  if ((buildError === undefined) !== (expected?.buildError === undefined)) {
    return differs(expected?.buildError, buildError);
  }
  return differs(
    {
      warnings: sorted(expected?.warnings ?? []),
      sources: expected?.sources,
      location: placeToCompare(expected?.buildError?.location, expected?.buildError?.location),
      text: blocks(out.text),
    },
    {
      warnings: sorted(result.warnings ?? []),
      sources: result.sources,
      location: placeToCompare(expected?.buildError?.location, buildError?.location),
      text: blocks(text),
    },
  );
}

async function checkOutline(row: Row): Promise<unknown> {
  const out = row.out as Expected;
  const data = fileOf(row);
  if (out.targets !== undefined) {
    const wrong = differs(out.targets, listTargets(data));
    if (wrong !== undefined) return wrong;
  }
  try {
    const outline = await outlineDockerfile(data, optionsOf(row), replay(out, []));
    if (out.error) return `accepted, expected ${out.error.message}`;
    const plain = outline as Expected["outline"] & object;
    return differs(
      { ...out.outline, args: sorted(out.outline?.args ?? []) },
      { ...plain, args: sorted(plain.args ?? []) },
    );
  } catch (error) {
    return checkError(out.error, error);
  }
}

function optionsOf(row: Row): ConvertOptions {
  const platform = String(row["platform"] ?? "");
  return {
    buildPlatforms: [buildPlatform],
    buildArgs: (row["buildArgs"] ?? {}) as Record<string, string>,
    labels: (row["labels"] ?? {}) as Record<string, string>,
    multiPlatform: row["multi"] === true,
    allStages: row["all"] === true,
    newId: () => "fixedidfixedidfixedidfixe",
    ...(row["target"] ? { target: String(row["target"]) } : {}),
    ...(platform === "" ? {} : { targetPlatform: parsePlatform(platform, buildPlatform) }),
  };
}

/** Answers as the neighbours' image resolver did. */
function replay(out: Expected, wrongNames: string[]): ConvertIo {
  return {
    resolveImage: async (reference, { platform, logName }) => {
      const key = `${reference}|${formatPlatformFully(platform)}`;
      const found = out.images?.[key];
      if (!found) throw new Error(`the reference did not ask for ${key}`);
      if (found.logName !== logName)
        wrongNames.push(`asked as ${logName}, expected ${found.logName}`);
      return {
        digest: found.digest,
        config: new TextEncoder().encode(JSON.stringify(found.config)),
      };
    },
  };
}

/** The error is the user's, and on a line of the instruction that the reference means, where it means one. */
function checkError(expected: ExpectedError | undefined, error: unknown): unknown {
  if (!isKilnError(error)) throw error;
  if (!expected) return `refused: ${error.message}`;
  return placeOf(error, expected.locations?.[0]);
}

function placeOf(
  { at, message }: KilnError,
  expected: readonly (readonly number[])[] | undefined,
): unknown {
  const lines = expected?.map(([line]) => line);
  if (lines === undefined || (at && lines.includes(at.line))) return undefined;
  return `${message}: on line ${at?.line}, expected ${lines.join(", ")}`;
}

/** Where the reference tells no place, ours may be told. */
function placeToCompare(expected: unknown, place: unknown): unknown {
  return JSON.stringify(expected ?? {}) === "{}" ? null : place;
}

/** Go writes null or nothing for lists that are empty. */
function withoutEmpty(image: unknown): unknown {
  const copy = structuredClone(image) as ImageConfig & { config?: Record<string, unknown> };
  const config = Object.entries(copy.config ?? {}).filter(
    ([, value]) => !(Array.isArray(value) && value.length === 0),
  );
  return {
    ...copy,
    rootfs: { ...copy.rootfs, diff_ids: copy.rootfs.diff_ids ?? [] },
    config: Object.fromEntries(config),
  };
}

function metadataJson(metadata: Definition["ops"][number]["metadata"]): unknown {
  const { description, caps, ignoreCache, progressGroup } = metadata;
  const { weak, ...group } = progressGroup ?? { weak: false };
  return {
    ...(Object.keys(description).length > 0 ? { description } : {}),
    caps: Object.fromEntries(caps.map((cap) => [cap, true])),
    ...(ignoreCache ? { ignoreCache } : {}),
    ...(progressGroup ? { progressGroup: { ...group, ...(weak ? { weak } : {}) } } : {}),
  };
}

function locationsJson(definition: Definition | undefined): unknown {
  const entries = [...(definition?.locations ?? [])].map(([digest, places]) => {
    const locations = places.map(({ ranges }) => ({
      ranges: ranges.map(({ start, end }) => ({
        start: { line: start.line },
        end: { line: end.line },
      })),
    }));
    return [digest, locations.length > 0 ? { locations } : {}];
  });
  return Object.fromEntries(entries);
}

function warningJson({ rule, description, url, message, at }: LintWarning): unknown {
  const location = at.flatMap(rangesOf).map(({ start, end }) => [start, 0, end, 0]);
  return { rule, description, url, msg: message, location };
}

/** One instruction's warnings come in any order: all of a file are compared as a set. */
function sorted(values: readonly unknown[]): readonly unknown[] {
  const text = (value: unknown): string =>
    JSON.stringify(value, Object.keys(value as object).sort());
  return values.toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
}

function blocks(text: string | undefined): readonly string[] {
  return (text ?? "").split("\nWARNING: ").sort();
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
