// What every content store promises, as test cases.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bytes, digestOf, uncancelled } from "../../src/base/index.ts";
import type { Descriptor } from "../../src/formats/oci/index.ts";
import type { ContentStore } from "../../src/storage/content/index.ts";
import { gathered, pieces } from "../kit/tar.ts";

export interface ContentStoreFixture {
  readonly store: ContentStore;
  /** The same blobs, as a new process sees them. */
  reopen(): Promise<ContentStore>;
  /** Spoils a stored blob behind the store's back. */
  damage(blob: Descriptor): void;
  /** Names of unfinished things. */
  leftovers(): readonly string[];
  dispose(): Promise<void>;
}

const call = uncancelled;
const bytes = (text: string) => new TextEncoder().encode(text);
const type = "application/octet-stream";

function descriptorOf(data: Uint8Array): Descriptor {
  return { mediaType: type, digest: digestOf(data), size: data.length };
}

/** Runs the cases against the stores that `open` makes. */
export function contentStoreContract(name: string, open: () => Promise<ContentStoreFixture>): void {
  describe(`content store: ${name}`, () => {
    let fixture: ContentStoreFixture;
    beforeEach(async () => {
      fixture = await open();
    });
    afterEach(() => fixture.dispose());

    it("gives back what was written, also after a restart", async () => {
      const data = crypto.getRandomValues(new Uint8Array(60_000));
      const blob = descriptorOf(data);
      expect(await fixture.store.has(blob.digest, call)).toBe(false);
      await fixture.store.write(blob, () => pieces(data, 7_000), call);
      expect(await gathered(fixture.store.read(blob, call))).toEqual(data);
      const again = await fixture.reopen();
      expect(await again.has(blob.digest, call)).toBe(true);
      expect(await gathered(again.read(blob, call))).toEqual(data);
    });

    it("keeps an empty blob", async () => {
      const blob = descriptorOf(new Uint8Array());
      await fixture.store.write(blob, () => pieces(new Uint8Array()), call);
      expect(await fixture.store.has(blob.digest, call)).toBe(true);
      expect(await gathered(fixture.store.read(blob, call))).toHaveLength(0);
    });

    it("does not ask for data that it has", async () => {
      const blob = descriptorOf(bytes("once"));
      await fixture.store.write(blob, () => pieces(bytes("once")), call);
      await fixture.store.write(blob, () => expect.unreachable("data was asked for"), call);
    });

    it("writes the same blob once when several ask for it together", async () => {
      const blob = descriptorOf(bytes("together"));
      let asked = 0;
      const data = () => {
        asked++;
        return pieces(bytes("together"), 1);
      };
      await Promise.all([1, 2, 3].map(() => fixture.store.write(blob, data, call)));
      expect(asked).toBe(1);
    });

    it.each([
      ["other bytes of the same size", "other!"],
      ["too few bytes", "othe"],
      ["too many bytes", "rightright"],
    ])("refuses %s and shows nothing of them", async (_name, found) => {
      const blob = descriptorOf(bytes("right!"));
      await expect(
        fixture.store.write(blob, () => pieces(bytes(found), 2), call),
      ).rejects.toMatchObject({ code: "BLOB_CORRUPT" });
      expect(await fixture.store.has(blob.digest, call)).toBe(false);
      expect(fixture.leftovers()).toEqual([]);
    });

    it("leaves nothing when the source fails half-way, and can be written again", async () => {
      const blob = descriptorOf(bytes("abcdef"));
      async function* broken(): Bytes {
        yield bytes("abc");
        throw new Error("connection lost");
      }
      await expect(fixture.store.write(blob, broken, call)).rejects.toThrow("connection lost");
      expect(await fixture.store.has(blob.digest, call)).toBe(false);
      expect(fixture.leftovers()).toEqual([]);
      await fixture.store.write(blob, () => pieces(bytes("abcdef")), call);
      expect(await fixture.store.has(blob.digest, call)).toBe(true);
    });

    it("stops a write that is cancelled", async () => {
      const controller = new AbortController();
      const blob = descriptorOf(bytes("abcdef"));
      async function* endless(): Bytes {
        yield bytes("abc");
        controller.abort(new Error("enough"));
        yield bytes("def");
      }
      await expect(
        fixture.store.write(blob, endless, { signal: controller.signal }),
      ).rejects.toThrow("enough");
      await expect.poll(() => fixture.leftovers()).toEqual([]);
      expect(await fixture.store.has(blob.digest, call)).toBe(false);
    });

    it("learns the digest of what it takes in", async () => {
      const blob = await fixture.store.ingest(type, pieces(bytes("some text"), 2), call);
      expect(blob).toEqual(descriptorOf(bytes("some text")));
      expect(await gathered(fixture.store.read(blob, call))).toEqual(bytes("some text"));
      expect(await fixture.store.ingest(type, pieces(bytes("some text")), call)).toEqual(blob);
    });

    it("never ends a read of a damaged blob well, and lets it be written anew", async () => {
      const data = bytes("precious");
      const blob = descriptorOf(data);
      await fixture.store.write(blob, () => pieces(data), call);
      fixture.damage(blob);
      await expect(gathered(fixture.store.read(blob, call))).rejects.toMatchObject({
        code: "BLOB_CORRUPT",
      });
      await fixture.store.write(blob, () => pieces(data), call);
      expect(await gathered(fixture.store.read(blob, call))).toEqual(data);
    });

    it("says so when a blob is not there", async () => {
      const blob = descriptorOf(bytes("absent"));
      await expect(gathered(fixture.store.read(blob, call))).rejects.toMatchObject({
        code: "BLOB_NOT_FOUND",
      });
    });

    it("lists and deletes", async () => {
      const one = await fixture.store.ingest(type, pieces(bytes("one")), call);
      const two = await fixture.store.ingest(type, pieces(bytes("two!")), call);
      const listed = async () => {
        const found = [];
        for await (const item of fixture.store.list()) found.push([item.digest, item.size]);
        return found.sort();
      };
      expect(await listed()).toEqual([one, two].map((blob) => [blob.digest, blob.size]).sort());
      await fixture.store.delete(one.digest);
      await fixture.store.delete(one.digest);
      expect(await listed()).toEqual([[two.digest, 4]]);
    });
  });
}
