// LLB's MergeOp, DiffOp and PassthroughOp: stacks of layers put together, taken apart and handed on, without touching a file.
import { digestOf } from "../../base/index.ts";
import {
  type DiffOp,
  type MergeOp,
  type PassthroughOp,
  stackIdentity,
} from "../../formats/llb/index.ts";
import type { Snapshot, Snapshotter } from "../../storage/snapshot/index.ts";
import type { CacheMap, Op } from "../solver/index.ts";
import { unlimited } from "./permits.ts";
import type { OpResult } from "./result.ts";

export function createMergeOp(
  op: MergeOp,
  encoded: Uint8Array,
  inputCount: number,
  snapshotter: Snapshotter,
): Op<OpResult> {
  return {
    acquire: unlimited,
    cacheMap: async () => byHistory(encoded, inputCount),
    async exec(inputs, call) {
      const parents = op.inputs
        .map((input) => inputs[input])
        .filter((one): one is Snapshot => one !== undefined);
      return [parents.length === 0 ? undefined : await snapshotter.merge(parents, call)];
    },
  };
}

export function createDiffOp(
  op: DiffOp,
  encoded: Uint8Array,
  inputCount: number,
  snapshotter: Snapshotter,
): Op<OpResult> {
  const input = (inputs: readonly OpResult[], index: number | undefined) =>
    index === undefined ? undefined : inputs[index];
  return {
    acquire: unlimited,
    cacheMap: async () => byHistory(encoded, inputCount),
    exec: async (inputs, call) => [
      await snapshotter.diff(input(inputs, op.lower), input(inputs, op.upper), call),
    ],
  };
}

/** Every input is waited for, and some are given on. */
export function createPassthroughOp(
  op: PassthroughOp,
  encoded: Uint8Array,
  inputCount: number,
): Op<OpResult> {
  return {
    acquire: unlimited,
    cacheMap: async () => byHistory(encoded, inputCount),
    exec: async (inputs) => op.outputs.map((input) => inputs[input]?.clone()),
  };
}

function byHistory(encoded: Uint8Array, inputCount: number): CacheMap<OpResult> {
  return {
    digest: digestOf(stackIdentity(encoded)),
    inputs: Array.from({ length: inputCount }, () => ({})),
  };
}
