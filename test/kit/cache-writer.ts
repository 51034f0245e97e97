// A process of its own that saves steps in the cache on disk until it is done, or killed. Also what it saves.
import { digestOf, uncancelled } from "../../src/base/index.ts";
import { openCacheStore } from "../../src/engine/cache/index.ts";
import type { CachedStep, CacheEntry, ResultStorage } from "../../src/engine/solver/index.ts";
import { openMetadata } from "../../src/storage/metadata/index.ts";

/** Keeps numbers in their own ids. */
export function numbersById(): ResultStorage<number> {
  return {
    save: async (result) => `r${result}`,
    load: async (id) => ({ result: Number(id.slice(1)) }),
  };
}

/** The `number`th step that writer `name` saves. */
export function cacheEntry(name: string, number: number): CacheEntry {
  const links = ["definition", "content"].map((kind, input) => ({
    from: digestOf(`${kind} ${name} ${number}`),
    link: { step: digestOf(name), input, output: 0 },
  }));
  return { key: digestOf(`${name} ${number}`), links, at: new Date(number) };
}

export function cacheStep(name: string): CachedStep {
  return { name, vertex: digestOf(name), step: digestOf(name), output: 0 };
}

async function write(directory: string, name: string): Promise<void> {
  const metadata = await openMetadata(directory);
  const store = openCacheStore({ metadata, results: numbersById() });
  process.on("message", async ({ count }: { count: number }) => {
    for (let number = 1; number <= count; number++) {
      await store.save(cacheEntry(name, number), cacheStep(name), number, uncancelled);
      if (count > 1000 || number === count) process.send?.({ saved: number });
      if (number % 10 === 0) await new Promise(setImmediate);
    }
  });
  process.send?.("ready");
}

const [, program = "", directory, name] = process.argv;
if (program === import.meta.filename && directory && name) await write(directory, name);
