// A definition as provenance tells it: numbered steps in the words of BuildKit's dumps, and where they were written.
import { Buffer } from "node:buffer";
import { type Digest, isRecord, sortedRecord } from "../../base/index.ts";
import { type Definition, opJson, type SourceFile } from "../../formats/llb/index.ts";

export interface BuildSteps {
  /** Inputs before users. */
  readonly llbDefinition: readonly unknown[];
  /** The step of each op, by the op's digest. */
  readonly digestMapping: Readonly<Record<string, string>>;
}

/** Steps are numbered in the order of the definition, which has inputs before users. */
export function describeSteps(definition: Definition): BuildSteps {
  const ids = new Map<string, string>(
    definition.ops.map(({ digest }, index) => [digest, `step${index}`]),
  );
  const llbDefinition = definition.ops.map(({ digest, bytes }) => {
    const { op, inputs } = opJson(bytes);
    const named = inputs.map((input) => `${ids.get(input.digest)}:${input.index}`);
    return {
      id: ids.get(digest),
      op: withoutSession(op),
      ...(named.length > 0 ? { inputs: named } : {}),
    };
  });
  return { llbDefinition, digestMapping: sortedRecord(Object.fromEntries(ids)) };
}

/** Who lent a directory is no part of what was built. */
function withoutSession(op: unknown): unknown {
  const body = isRecord(op) ? op["Op"] : undefined;
  const source = isRecord(body) ? body["source"] : undefined;
  const attrs = isRecord(source) ? source["attrs"] : undefined;
  if (!isRecord(op) || !isRecord(source) || !isRecord(attrs)) return op;
  const { "local.session": _, "local.unique": __, ...rest } = attrs;
  return { ...op, Op: { source: { ...source, attrs: rest } } };
}

/** Where steps were written and in which files: undefined where nothing is known. */
export function describeSource({ locations, ops }: Definition): unknown {
  if (!locations || locations.size === 0) return undefined;
  const files: SourceFile[] = [];
  const indexOf = (file: SourceFile) => {
    const known = files.findIndex((one) => one === file || one.filename === file.filename);
    return known === -1 ? files.push(file) - 1 : known;
  };
  const places = ops.slice(0, -1).map(({ digest }, step): [string, unknown] => {
    const found = (locations.get(digest as Digest) ?? []).map(({ file, ranges }) => {
      const sourceIndex = indexOf(file);
      return {
        ...(sourceIndex === 0 ? {} : { sourceIndex }),
        ranges: ranges.map(({ start, end }) => ({ start: place(start), end: place(end) })),
      };
    });
    return [`step${step}`, found.length === 0 ? {} : { locations: found }];
  });
  const infos = files.map(({ filename, language, data, definition }) => ({
    filename,
    language,
    data: Buffer.from(data).toString("base64"),
    ...(definition ? describeSteps(definition) : {}),
  }));
  return { locations: sortedRecord(Object.fromEntries(places)), infos };
}

/** Zeroes are left out, as Go does. */
function place({ line, character }: { readonly line: number; readonly character: number }) {
  return { ...(line === 0 ? {} : { line }), ...(character === 0 ? {} : { character }) };
}
