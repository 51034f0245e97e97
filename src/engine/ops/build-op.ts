// LLB's BuildOp: a definition that lies among the files of an input, built in the op's place.
import { type Call, type Digest, digestOf, KilnError } from "../../base/index.ts";
import {
  type BuildOp,
  buildIdentity,
  type Definition,
  decodeDefinition,
  MAX_DEFINITION_BYTES,
} from "../../formats/llb/index.ts";
import type { Op } from "../solver/index.ts";
import { type FileView, readView, resolveInView } from "./file/view.ts";
import { unlimited } from "./permits.ts";
import type { OpResult } from "./result.ts";
import { withView } from "./views.ts";

/** Solves a definition on the build that an op belongs to; the result is lent until that build ends. */
export type SolveNested = (
  definition: Definition,
  /** The build ops that the definition is built in, outermost first. */
  inside: readonly Digest[],
  call: Call,
) => Promise<OpResult>;

/** How deep builds may be nested: a definition that makes itself anew under another name would never end. */
export const MAX_NESTED_BUILDS = 32;

/** The input that has the definition, and the file in it unless an attribute names another (BuildKit: solver/pb/const.go). */
const definitionName = "buildkit.llb.definition";
const filenameAttr = "llbbuild.filename";

export interface NestedBuild {
  /** The op's own vertex. */
  readonly digest: Digest;
  /** The build ops around it. */
  readonly inside: readonly Digest[];
  readonly solve: SolveNested | undefined;
}

export function createBuildOp(
  op: BuildOp,
  encoded: Uint8Array,
  inputCount: number,
  { digest, inside, solve }: NestedBuild,
): Op<OpResult> {
  return {
    // Its steps take the slots; it only waits for them.
    acquire: unlimited,
    cacheMap: async () => ({
      digest: digestOf(buildIdentity(encoded)),
      inputs: Array.from({ length: inputCount }, () => ({})),
    }),
    async exec(inputs, call) {
      if (op.builder !== undefined)
        throw new KilnError("UNSUPPORTED", "only the LLB builder is currently allowed");
      if (inside.length >= MAX_NESTED_BUILDS) {
        throw new KilnError(
          "DEFINITION_INVALID",
          `builds are nested more than ${MAX_NESTED_BUILDS} deep`,
        );
      }
      if (solve === undefined) throw new Error("a nested build has nothing to be solved with");
      const input = Object.hasOwn(op.inputs, definitionName)
        ? op.inputs[definitionName]
        : undefined;
      if (input === undefined) {
        throw new KilnError(
          "DEFINITION_INVALID",
          `no llb definition input ${definitionName} found`,
        );
      }
      const path = op.attrs[filenameAttr] || definitionName;
      const bytes = await withView(inputs[input], call, (view) => readFileOf(view, path));
      const result = await solve(decodeDefinition(bytes), [...inside, digest], call);
      return [result?.clone()];
    },
  };
}

/** Links are resolved inside the input. */
function readFileOf(view: FileView, path: string): Uint8Array {
  const found = resolveInView(view, path, true);
  const stat = view.lstat(found);
  if (stat?.type !== "file")
    throw new KilnError("DEFINITION_INVALID", `the input has no definition at ${path}`);
  if (stat.size > MAX_DEFINITION_BYTES) {
    throw new KilnError(
      "DEFINITION_INVALID",
      `the definition at ${path} has more than ${MAX_DEFINITION_BYTES} bytes`,
    );
  }
  return readView(view, found);
}
