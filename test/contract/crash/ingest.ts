// Run by a test and killed by it: one blob is whole, another is half written.
import { uncancelled } from "../../../src/base/index.ts";
import { openContentStore } from "../../../src/storage/content/index.ts";

const store = await openContentStore(process.argv[2] ?? "");
async function* whole() {
  yield new Uint8Array(1_000_000);
}
async function* half() {
  yield new Uint8Array(1_000_000).fill(1);
  console.log("half written");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}
await store.ingest("", whole(), uncancelled);
await store.ingest("", half(), uncancelled);
