// A definition with other sources in the place of some: all that is built on them is renamed accordingly.
import { type Digest, digestOf } from "../../base/index.ts";
import { pb } from "../proto/index.ts";
import { invalid } from "./checks.ts";
import type { Definition, DefinitionOp } from "./definition.ts";

/** A source op, as far as policies see it. */
export interface ReplaceableSource {
  readonly identifier: string;
  readonly attrs: Readonly<Record<string, string>>;
  readonly platform?: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
  };
}

/** What is to stand in a source's place; the same object, or an equal one, leaves it. */
export type ReplaceSource = (
  source: ReplaceableSource,
) => Promise<Pick<ReplaceableSource, "identifier" | "attrs">>;

/** Asks for every source, whether the result needs it or not. Throws `DEFINITION_INVALID` for ops that cannot be read. */
export async function replaceSources(
  definition: Definition,
  replace: ReplaceSource,
): Promise<Definition> {
  const renamed = new Map<string, Digest>();
  const ops: DefinitionOp[] = [];
  for (const one of definition.ops) {
    const bytes = await replaceIn(one.bytes, replace, renamed);
    if (bytes === one.bytes) {
      ops.push(one);
      continue;
    }
    const digest = digestOf(bytes);
    renamed.set(one.digest, digest);
    ops.push({ ...one, digest, bytes });
  }
  if (renamed.size === 0) return definition;
  const { locations } = definition;
  return {
    ops,
    ...(locations
      ? {
          locations: new Map(
            Array.from(locations, ([digest, places]) => [renamed.get(digest) ?? digest, places]),
          ),
        }
      : {}),
  };
}

/** The op's bytes, the same ones where nothing changes. */
async function replaceIn(
  bytes: Uint8Array,
  replace: ReplaceSource,
  renamed: ReadonlyMap<string, Digest>,
): Promise<Uint8Array> {
  let op: pb.Op;
  try {
    op = pb.Op.decode(bytes);
  } catch {
    throw invalid("an op is not a protobuf message pb.Op");
  }
  const inputs = op.inputs.map((input) => {
    const digest = renamed.get(input.digest);
    return digest === undefined ? input : { ...input, digest };
  });
  const moved = inputs.some((input, index) => input !== op.inputs[index]);
  if (op.op?.$case !== "source") {
    return moved ? pb.Op.encode({ ...op, inputs }).finish() : bytes;
  }
  const { identifier, attrs } = op.op.value;
  const source = {
    identifier,
    attrs: Object.fromEntries(attrs),
    ...(op.platform ? { platform: platformOf(op.platform) } : {}),
  };
  const wanted = await replace(source);
  if (!moved && isSame(wanted, source)) return bytes;
  const sorted = Object.entries(wanted.attrs).sort(([a], [b]) => (a < b ? -1 : 1));
  const value = { ...op.op.value, identifier: wanted.identifier, attrs: new Map(sorted) };
  return pb.Op.encode({ ...op, inputs, op: { $case: "source", value } }).finish();
}

function platformOf({ OS, Architecture, Variant }: pb.Platform) {
  return { os: OS, architecture: Architecture, ...(Variant === "" ? {} : { variant: Variant }) };
}

function isSame(
  a: Pick<ReplaceableSource, "identifier" | "attrs">,
  b: Pick<ReplaceableSource, "identifier" | "attrs">,
): boolean {
  const keys = Object.keys(a.attrs);
  return (
    a.identifier === b.identifier &&
    keys.length === Object.keys(b.attrs).length &&
    keys.every((key) => a.attrs[key] === b.attrs[key])
  );
}
