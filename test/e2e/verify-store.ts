// Prints what is wrong with the store in the directory that is named, as JSON. A process of its own: one that has entered
// a mount namespace no longer sees, from all of its threads, what is mounted outside.
import { uncancelled } from "../../src/base/index.ts";
import { openEngine } from "../../src/engine/engine.ts";

async function main(root: string): Promise<void> {
  await using engine = await openEngine({
    root,
    hosts: {},
    version: "test",
    now: () => new Date(),
    gc: { enabled: false },
  });
  process.stdout.write(JSON.stringify(await engine.verify(uncancelled)));
}

await main(process.argv[2] ?? "");
