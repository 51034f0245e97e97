// Decodes and checks the bytes of one op.
import { KilnError } from "../../base/index.ts";
import type { Platform } from "../oci/index.ts";
import { pb } from "../proto/index.ts";
import { inputIndex, invalid, optional } from "./checks.ts";
import { decodeExec } from "./decode-exec.ts";
import { decodeFile } from "./decode-file.ts";
import type { Op, PassthroughOp } from "./ops.ts";

/** Most bytes of one op: a heredoc in it is as long as a Dockerfile may be. */
export const MAX_OP_BYTES: number = 64 * 1024 * 1024;
/** Most inputs of one op. */
export const MAX_INPUTS = 10_000;

/** One op with its inputs still by digest; undefined `op` is the last of a definition, which only points. */
export interface DecodedOp {
  readonly op: Op | undefined;
  readonly platform?: Platform;
  readonly inputs: readonly { readonly digest: string; readonly output: number }[];
}

/** Throws `DEFINITION_INVALID` for what is malformed, out of range or not known. */
export function decodeOp(bytes: Uint8Array): DecodedOp {
  if (bytes.length > MAX_OP_BYTES) throw invalid(`an op has more than ${MAX_OP_BYTES} bytes`);
  let message: pb.Op;
  try {
    message = pb.Op.decode(bytes);
  } catch (cause) {
    throw new KilnError("DEFINITION_INVALID", "an op is not a protobuf message pb.Op", { cause });
  }
  if (message.inputs.length > MAX_INPUTS) throw invalid(`an op has more than ${MAX_INPUTS} inputs`);
  const inputs = message.inputs.map(({ digest, index }) => ({
    digest,
    output: outputIndex(index),
  }));
  return {
    op: message.op && decodeKind(message.op, inputs.length),
    inputs,
    ...(message.platform ? { platform: decodePlatform(message.platform) } : {}),
  };
}

function outputIndex(index: number): number {
  if (!Number.isSafeInteger(index) || index < 0) throw invalid(`output ${index} cannot exist`);
  return index;
}

function decodeKind(op: NonNullable<pb.Op["op"]>, inputs: number): Op {
  switch (op.$case) {
    case "source":
      return {
        kind: "source",
        identifier: op.value.identifier,
        attrs: Object.fromEntries(op.value.attrs),
      };
    case "exec":
      return decodeExec(op.value, inputs);
    case "file":
      return decodeFile(op.value, inputs);
    case "merge":
      return { kind: "merge", inputs: op.value.inputs.map(({ input }) => required(input, inputs)) };
    case "diff":
      return {
        kind: "diff",
        ...optional("lower", inputIndex(op.value.lower?.input ?? -1, inputs)),
        ...optional("upper", inputIndex(op.value.upper?.input ?? -1, inputs)),
      };
    case "build":
      return {
        kind: "build",
        ...optional("builder", inputIndex(op.value.builder, inputs)),
        inputs: Object.fromEntries(
          [...op.value.inputs].map(([name, { input }]) => [name, required(input, inputs)]),
        ),
        attrs: Object.fromEntries(op.value.attrs),
      };
    case "passthrough":
      return decodePassthrough(op.value, inputs);
  }
}

function decodePassthrough({ id, outputs }: pb.PassthroughOp, inputs: number): PassthroughOp {
  if (id === "") throw invalid("a passthrough op needs an id");
  if (outputs.length === 0) throw invalid("a passthrough op needs at least one output");
  if (outputs.length > MAX_INPUTS) throw invalid(`an op has more than ${MAX_INPUTS} outputs`);
  return { kind: "passthrough", id, outputs: outputs.map((input) => required(input, inputs)) };
}

function decodePlatform(message: pb.Platform): Platform {
  return {
    os: message.OS,
    architecture: message.Architecture,
    ...(message.Variant === "" ? {} : { variant: message.Variant }),
    ...(message.OSVersion === "" ? {} : { osVersion: message.OSVersion }),
    ...(message.OSFeatures.length === 0 ? {} : { osFeatures: message.OSFeatures }),
  };
}

function required(index: number, count: number): number {
  const checked = inputIndex(index, count);
  if (checked === undefined) throw invalid("an input is missing where one is needed");
  return checked;
}
