// Steps are found in caches from elsewhere under each name that they have there.
import { expect, it } from "vitest";
import { digestHex, digestOf } from "../../../base/index.ts";
import { outputDigest } from "./imported-store.ts";
import { createOtherKeys } from "./other-keys.ts";

const nameOf = (step: string) => digestHex(outputDigest(digestOf(step), 0));

it("knows what was added last, and each name once", () => {
  const keys = createOtherKeys();
  expect(keys.of(nameOf("layers"))).toEqual([]);
  for (const other of ["index", "manifest", "index"]) keys.add(digestOf("layers"), digestOf(other));
  expect(keys.of(nameOf("layers"))).toEqual([nameOf("index"), nameOf("manifest")]);
  for (let at = 0; at < 10_000; at++) keys.add(digestOf(`${at}`), digestOf("index"));
  expect(keys.of(nameOf("layers"))).toEqual([]);
  expect(keys.of(nameOf("9999"))).toEqual([nameOf("index")]);
});
