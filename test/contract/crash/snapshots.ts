// Run by tests against a store that they use too: holds a snapshot and is half-way through another; or unpacks an image.
import { writeFileSync } from "node:fs";
import { uncancelled as call, digestOf } from "../../../src/base/index.ts";
import { gzip } from "../../../src/formats/archive/index.ts";
import { openOverlaySnapshotter, withMounted } from "../../../src/storage/snapshot/index.ts";
import { gathered, pieces, tarOf } from "../../kit/tar.ts";

const [, , mode, dir = ""] = process.argv;
const snapshotter = await openOverlaySnapshotter({ dir });

if (mode === "hold") {
  const first = await snapshotter.active(undefined, call);
  await withMounted(await first.mounts(call), call, (at) => writeFileSync(`${at}/done`, "done"));
  const done = await first.commit(call);
  const second = await snapshotter.active(done, call);
  await withMounted(await second.mounts(call), call, async (at) => {
    writeFileSync(`${at}/half`, "half");
    console.log(JSON.stringify({ id: done.id, layer: done.layers[0]?.id }));
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  });
} else {
  const tar = tarOf(
    Array.from({ length: 2000 }, (_, at) => ({ path: `d${at % 10}/f${at}`, data: `${at}` })),
  );
  const blob = await gathered(gzip(pieces(tar)));
  const descriptor = { mediaType: "", digest: digestOf(blob), size: blob.length };
  const image = await snapshotter.image(
    [{ descriptor, diffId: digestOf(tar), fetch: () => pieces(blob, 5000) }],
    call,
  );
  await image.mounts(call);
  const found = digestOf(await gathered(snapshotter.tar(image.layers[0] ?? { id: "" }, {}, call)));
  await snapshotter[Symbol.asyncDispose]();
  console.log(found);
}
