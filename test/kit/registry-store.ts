// What the registry of the tests keeps: blobs and manifests by repository, in memory.
import { type Digest, digestOf } from "../../src/base/index.ts";

export interface StoredManifest {
  readonly data: Uint8Array;
  readonly mediaType: string;
}

export class RegistryStore {
  readonly #blobs = new Map<string, Map<string, Uint8Array>>();
  readonly #manifests = new Map<string, Map<string, StoredManifest>>();

  /** Pieces received so far, by upload. */
  readonly uploads: Map<string, Uint8Array[]> = new Map();
  #lastUpload = 0;

  openUpload(): string {
    const name = `u${++this.#lastUpload}`;
    this.uploads.set(name, []);
    return name;
  }

  addBlob(repository: string, data: Uint8Array): Digest {
    const digest = digestOf(data);
    this.putBlob(repository, digest, data);
    return digest;
  }

  /** Under any digest: whoever calls this checks, or lies. */
  putBlob(repository: string, digest: string, data: Uint8Array): void {
    const blobs = this.#blobs.get(repository) ?? new Map();
    this.#blobs.set(repository, blobs.set(digest, data));
  }

  blob(repository: string, digest: string): Uint8Array | undefined {
    return this.#blobs.get(repository)?.get(digest);
  }

  /** `reference`: tag or digest. */
  addManifest(repository: string, reference: string, manifest: StoredManifest): void {
    const manifests = this.#manifests.get(repository) ?? new Map();
    this.#manifests.set(repository, manifests.set(reference, manifest));
  }

  manifest(repository: string, reference: string): StoredManifest | undefined {
    return this.#manifests.get(repository)?.get(reference);
  }

  /** Descriptors of the manifests that name `subject` as theirs. */
  referrers(repository: string, subject: string): readonly unknown[] {
    return [...(this.#manifests.get(repository) ?? [])].flatMap(([name, { data, mediaType }]) => {
      const document = JSON.parse(new TextDecoder().decode(data));
      if (!name.includes(":") || document.subject?.digest !== subject) return [];
      const { artifactType, annotations } = document;
      return [{ mediaType, digest: name, size: data.length, artifactType, annotations }];
    });
  }

  /** False where it was not there. */
  remove(repository: string, kind: "blobs" | "manifests", name: string): boolean {
    const all = kind === "blobs" ? this.#blobs : this.#manifests;
    return all.get(repository)?.delete(name) ?? false;
  }

  tags(repository: string): readonly string[] {
    return [...(this.#manifests.get(repository)?.keys() ?? [])]
      .filter((name) => !name.includes(":"))
      .sort();
  }
}
