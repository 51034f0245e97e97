// Loading an image is a step that is seen.
import { expect, it } from "vitest";
import type { BuildEvent } from "../../../api/index.ts";
import { type ImageLoader, shownLoaders } from "./image-loading.ts";

const call = { signal: new AbortController().signal };

async function* nothing(): AsyncGenerator<Uint8Array> {}

it.each([
  ["done", async () => undefined],
  ["failed", () => Promise.reject(new Error("no"))],
] as [string, ImageLoader][])("ends %s", async (state, load) => {
  const events: BuildEvent[] = [];
  const shown = shownLoaders(
    new Map([[0, load]]),
    "importing to docker",
    (event) => events.push(event),
    () => new Date(0),
  );
  await shown
    .get(0)?.(nothing(), call)
    .catch(() => undefined);
  expect(events).toMatchObject([
    { name: "importing to docker", state: "started" },
    { name: "importing to docker", state },
  ]);
});
