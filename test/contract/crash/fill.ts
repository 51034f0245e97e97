// Run by a test with a store on a disk of one megabyte: says how taking in four went, and what is left of it.
import { readdirSync } from "node:fs";
import { isKilnError, uncancelled } from "../../../src/base/index.ts";
import { openContentStore } from "../../../src/storage/content/index.ts";

const dir = process.argv[2] ?? "";
const store = await openContentStore(dir);
async function* much() {
  for (let i = 0; i < 64; i++) yield new Uint8Array(65_536).fill(i);
}
const failure: unknown = await store.ingest("", much(), uncancelled).then(
  () => undefined,
  (error: unknown) => error,
);
const left = [...readdirSync(`${dir}/ingest`), ...readdirSync(`${dir}/blobs/sha256`)];
console.log(JSON.stringify({ code: isKilnError(failure) ? failure.code : String(failure), left }));
