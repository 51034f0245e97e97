// Image layers from their blobs: fetched, decompressed, verified and unpacked once, when their files are first needed.
import {
  type Bytes,
  type Call,
  createDigester,
  digestHex,
  KilnError,
  Limiter,
  log,
  Once,
  runAll,
  wrap,
} from "../../base/index.ts";
import { decompress } from "../../formats/archive/index.ts";
import { extractTar } from "./extract.ts";
import type { LayerStore } from "./layer-store.ts";
import type { LayerBlob, LazyLayer, SnapshotLayer } from "./snapshot.ts";

const debug = log("snapshot");
/** More layers at once only make the disk seek: unpacking itself runs on one thread. */
const maxParallel = 4;

/** Where to get the blob of a layer whose `fetch` this process has not seen. */
export type FetchBlob = (blob: LayerBlob, call: Call) => Bytes;

/** The layer id of whatever blob unpacks to that diff id. */
function imageLayerId(blob: LayerBlob): string {
  return `image-${digestHex(blob.diffId)}`;
}

export class Unpacker {
  readonly #store: LayerStore;
  readonly #fetchBlob: FetchBlob | undefined;
  readonly #lazy = new Map<string, LazyLayer>();
  readonly #once = new Once<string, void>();
  readonly #limiter = new Limiter(maxParallel);

  constructor(store: LayerStore, fetchBlob: FetchBlob | undefined) {
    this.#store = store;
    this.#fetchBlob = fetchBlob;
  }

  /** Remembers where a layer can be fetched; nothing happens before its files are needed. */
  register(layer: LazyLayer): SnapshotLayer {
    const blob: LayerBlob = { descriptor: layer.descriptor, diffId: layer.diffId };
    const id = imageLayerId(blob);
    this.#lazy.set(id, layer);
    return { id, blob };
  }

  /** Makes sure that the files of all layers are there, several at once. */
  async unpackAll(layers: readonly SnapshotLayer[], call: Call): Promise<void> {
    const missing = layers.filter((layer) => !this.#store.has(layer.id));
    await runAll(missing, (layer, inner) => this.unpack(layer, inner), call);
  }

  /** Makes sure that the layer's files are there. */
  async unpack(layer: SnapshotLayer, call: Call): Promise<void> {
    if (this.#store.has(layer.id)) return;
    const { blob } = layer;
    if (blob === undefined) {
      throw new KilnError("SNAPSHOT_FAILED", `the files of layer ${layer.id} are gone`, {
        hint: "Build again.",
      });
    }
    await this.#once.run(layer.id, (once) => this.#unpack(layer.id, blob, once), call);
  }

  async #unpack(id: string, blob: LayerBlob, call: Call): Promise<void> {
    using _permit = await this.#limiter.acquire(call);
    if (this.#store.has(id)) return;
    const what = `layer ${blob.descriptor.digest}`;
    const staged = this.#store.stage();
    debug.debug("unpacking", { id });
    try {
      const digester = createDigester();
      const tar = hashed(decompress(this.#fetch(id, blob, call), what), digester);
      const { userXattr } = this.#store;
      const { implied, opaqueRoot, whole } = await extractTar(
        tar,
        { root: `${staged}/fs`, whiteouts: "overlay", userXattr },
        call,
      );
      const diffId = digester.digest();
      if (diffId !== blob.diffId) {
        throw new KilnError(
          "BLOB_CORRUPT",
          `it unpacks to ${diffId}, but the image promises ${blob.diffId}`,
        );
      }
      await this.#store.publish(staged, id, {
        ...(implied.length > 0 ? { implied } : {}),
        ...(opaqueRoot ? { opaqueRoot } : {}),
        ...(whole ? { whole } : {}),
      });
    } catch (error) {
      await this.#store.discard(staged);
      throw wrap(error, `unpacking ${what}`);
    }
  }

  #fetch(id: string, blob: LayerBlob, call: Call): Bytes {
    const lazy = this.#lazy.get(id);
    if (lazy !== undefined) return lazy.fetch(call);
    if (this.#fetchBlob !== undefined) return this.#fetchBlob(blob, call);
    throw new KilnError(
      "SNAPSHOT_FAILED",
      `nobody knows where layer ${blob.descriptor.digest} can be fetched`,
    );
  }
}

async function* hashed(data: Bytes, digester: { update(chunk: Uint8Array): unknown }): Bytes {
  for await (const chunk of data) {
    digester.update(chunk);
    yield chunk;
  }
}
