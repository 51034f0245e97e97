// Caches that a build is to look into: one that cannot be had stops nothing.
import { expect, it } from "vitest";
import type { BuildEvent, Session } from "../../api/index.ts";
import { uncancelled } from "../../base/index.ts";
import type { RemoteCaches } from "../cache/index.ts";
import { findCaches, importCaches } from "./caches.ts";

const imported: string[] = [];
const caches: RemoteCaches = {
  known: ({ type, attrs }) =>
    type === "registry"
      ? { attrs, backend: { type, place: () => "r.example/x" } as never }
      : undefined,
  find: () => {
    throw new Error("only for exports");
  },
  async import({ backend }) {
    imported.push(backend.type);
    return { [Symbol.dispose]() {} };
  },
  export: async () => ({}),
  inline: async () => undefined,
};

it("a type of cache that does not exist is told of and passed over", async () => {
  const events: BuildEvent[] = [];
  const parts = { caches, now: () => new Date(0), emit: (event: BuildEvent) => events.push(event) };
  const wanted = findCaches(
    {
      attrs: {},
      cacheImports: [
        { type: "bad", attrs: {} },
        { type: "registry", attrs: {} },
      ],
      cacheExports: [],
    },
    { ...caches, find: () => [] },
  );
  await using _ = await importCaches(wanted, {} as Session, parts, uncancelled);
  expect(imported).toEqual(["registry"]);
  const told = events.flatMap((event) =>
    event.type === "warning" ? [event.warning.message] : event.type === "step" ? [event.state] : [],
  );
  expect(told.toSorted()).toEqual([
    "done",
    "failed",
    "importing cache manifest from bad: unknown cache importer: bad",
    "started",
    "started",
  ]);
});
