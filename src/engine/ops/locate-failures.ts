// Failures of an op with the place in the user's file that the op was written at.
import { isKilnError, KilnError, type SourcePlace } from "../../base/index.ts";
import { encodeDefinition, type LlbVertex } from "../../formats/llb/index.ts";
import type { Op } from "../solver/index.ts";
import type { OpResult } from "./result.ts";

/** The same op; its `KilnError`s carry the vertex, its location, unless they have one, and the step's name. */
export function locateFailures(op: Op<OpResult>, vertex: LlbVertex): Op<OpResult> {
  const located = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw locate(error, vertex);
    }
  };
  return {
    acquire: (call) => op.acquire(call),
    exec: (inputs, call) => located(op.exec(inputs, call)),
    async cacheMap(call) {
      const map = await located(op.cacheMap(call));
      const inputs = map.inputs.map((input) => {
        const { contentDigest } = input;
        if (!contentDigest) return input;
        return {
          ...input,
          contentDigest: (result: OpResult, digesting: Parameters<typeof contentDigest>[1]) =>
            located(contentDigest(result, digesting)),
        };
      });
      return { ...map, inputs };
    },
  };
}

function locate(error: unknown, vertex: LlbVertex): unknown {
  // Whose failure it was first: a nested build's own step says more.
  if (!isKilnError(error) || error.details["vertex"] !== undefined) return error;
  const at = error.at ?? placeOf(vertex);
  const { cause, hint, others } = error;
  return new KilnError(error.code, error.message, {
    cause,
    others,
    details: {
      ...error.details,
      vertex: vertex.digest,
      ...(error.at ? {} : { step: vertex.name }),
    },
    ...(at === undefined ? {} : { at }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Where in the user's file an op was written. */
export function placeOf(vertex: LlbVertex): SourcePlace | undefined {
  const [location] = vertex.locations;
  const range = location?.ranges[0];
  if (!location || !range || range.start.line < 1) return undefined;
  const { filename, data, definition } = location.file;
  const pieces = location.ranges.map(({ start, end }) => [start.line, end.line] as const);
  return {
    file: filename,
    line: range.start.line,
    endLine: range.end.line,
    text: new TextDecoder().decode(data),
    ...(pieces.length > 1 ? { pieces } : {}),
    ...(definition ? { origin: encodeDefinition(definition) } : {}),
  };
}
