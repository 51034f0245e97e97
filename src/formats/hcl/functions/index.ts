// The functions that every bake file may call.
import type { KilnError } from "../../../base/index.ts";
import { FunctionError, type HclFunction } from "../function.ts";
import type { Value } from "../value.ts";
import { collectionFunctions } from "./collections.ts";
import { dateFunctions } from "./dates.ts";
import { encodingFunctions } from "./encoding.ts";
import { formatFunctions } from "./format.ts";
import { hashFunctions } from "./hashes.ts";
import { networkFunctions } from "./network.ts";
import { numberFunctions } from "./numbers.ts";
import { patternFunctions } from "./patterns.ts";
import { stringFunctions } from "./strings.ts";
import { versionFunctions } from "./versions.ts";

/** What functions know of the world: given, so that the same file gives the same result in a test. */
export interface Ambient {
  readonly now: Date;
  readonly homeDirectory: string;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Runs `work`, and throws where that takes longer than anybody wants to wait. */
  readonly limited: <T>(work: () => T) => T;
}

/** All of them, by name. */
export function standardFunctions(ambient: Ambient): ReadonlyMap<string, HclFunction> {
  return new Map(
    Object.entries({
      ...stringFunctions,
      ...numberFunctions,
      ...collectionFunctions,
      ...encodingFunctions,
      ...formatFunctions,
      ...patternFunctions(ambient),
      ...networkFunctions,
      ...versionFunctions,
      ...hashFunctions(ambient),
      ...dateFunctions(ambient),
      ...lazyFunctions,
      homedir: { params: [], call: () => ambient.homeDirectory },
      byteslen: bytesOnly,
      bytesslice: bytesOnly,
    }),
  );
}

/** No function makes values of bytes, so that nothing can be given to these. */
const bytesOnly: HclFunction = {
  params: [{ name: "buf", type: "any" }],
  rest: { name: "more", type: "any" },
  call: () => {
    throw new FunctionError("bytes required", 0);
  },
};

const lazyFunctions: Readonly<Record<string, HclFunction>> = {
  can: {
    params: [],
    call: unused,
    lazy: ([arg, ...more], fail) => {
      if (!arg || more.length > 0)
        throw fail("Invalid arguments", 'Function "can" expects exactly one expression.');
      return !isError(outcome(arg));
    },
  },
  try: {
    params: [],
    call: unused,
    lazy: (args, fail) => {
      const mistakes: string[] = [];
      for (const arg of args) {
        const value = outcome(arg);
        if (!isError(value)) return value;
        mistakes.push(value.message);
      }
      throw fail(
        "Error in function call",
        args.length === 0
          ? 'Call to function "try" failed: at least one argument is required.'
          : `Call to function "try" failed: no expression succeeded:\n${mistakes.map((one) => `- ${one}`).join("\n")}\n\nAt least one expression must produce a successful result.`,
      );
    },
  },
};

function unused(): never {
  throw new Error("is called with expressions only");
}

function outcome(arg: () => Value): Value | KilnError {
  try {
    return arg();
  } catch (error) {
    if (isMistake(error)) return error;
    throw error;
  }
}

function isMistake(error: unknown): error is KilnError {
  return error instanceof Error && error.name === "KilnError";
}

function isError(value: Value | KilnError): value is KilnError {
  return value instanceof Error;
}
