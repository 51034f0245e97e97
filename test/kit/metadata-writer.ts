// A process of its own that writes until it has done what it was told to, or is killed.
import { openMetadata } from "../../src/storage/metadata/index.ts";

const [directory = "", name = ""] = process.argv.slice(2);
const metadata = await openMetadata(directory);
const writes = metadata.table<number>("writes");
const total = metadata.table<number>("total");

process.on("message", async ({ count, report }: { count: number; report?: boolean }) => {
  for (let written = 1; written <= count; written++) {
    metadata.transaction(() => {
      writes.put(`${name} ${String(written).padStart(9, "0")}`, written);
      total.put("sum", (total.get("sum") ?? 0) + 1);
    });
    if (report) process.send?.({ written });
    if (written % 10 === 0) await new Promise(setImmediate);
  }
  process.send?.("done");
});
process.send?.("ready");
