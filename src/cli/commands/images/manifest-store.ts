// Lists that `kiln manifest` is putting together: docker's own local store, one directory a list and one file an image.
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  fromNodeError,
  goJson,
  isRecord,
  KilnError,
  parseJson,
  writeFileAtomic,
} from "../../../base/index.ts";
import {
  type Descriptor,
  descriptorJson,
  mediaTypes,
  parseDescriptor,
} from "../../../formats/oci/index.ts";

/** An image as a list knows it. */
export interface ListedManifest {
  /** With its digest: `registry/app:1-arm64@sha256:...`. */
  readonly ref: string;
  /** With the platform. */
  readonly descriptor: Descriptor;
  /** The manifest's bytes. */
  readonly raw: Uint8Array;
}

/** Names are whole ones with their tags. */
export interface ManifestStore {
  /** In the order of their names; undefined where there is no such list. */
  list(list: string): readonly ListedManifest[] | undefined;
  get(list: string, name: string): ListedManifest | undefined;
  save(list: string, name: string, manifest: ListedManifest): void;
  /** False where there is no such list. */
  remove(list: string): boolean;
}

/** `directory`: `manifests` in docker's configuration directory. */
export function openManifestStore(directory: string): ManifestStore {
  const place = (list: string) => join(directory, fileName(list));
  return {
    list(list) {
      const names = readNames(place(list));
      return names?.map((name) => readManifest(join(place(list), name)));
    },
    get(list, name) {
      const names = readNames(place(list)) ?? [];
      return names.includes(fileName(name))
        ? readManifest(join(place(list), fileName(name)))
        : undefined;
    },
    save(list, name, manifest) {
      const file = join(place(list), fileName(name));
      try {
        mkdirSync(place(list), { recursive: true, mode: 0o755 });
        writeFileAtomic(file, goJson(manifestJson(manifest)), 0o644);
      } catch (error) {
        throw fromNodeError(error, `writing ${file}`);
      }
    },
    remove(list) {
      if (!readNames(place(list))) return false;
      rmSync(place(list), { recursive: true, force: true });
      return true;
    },
  };
}

/** As docker names these files. */
function fileName(name: string): string {
  return name.replaceAll(":", "-").replaceAll("/", "_");
}

function readNames(directory: string): readonly string[] | undefined {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fromNodeError(error, `reading ${directory}`);
  }
}

function readManifest(file: string): ListedManifest {
  const document = parseJson(readFileSync(file, "utf8"), file);
  const { Ref: ref, Descriptor: descriptor, Raw: raw } = isRecord(document) ? document : {};
  if (typeof ref === "string" && typeof raw === "string")
    return { ref, descriptor: parseDescriptor(descriptor, file), raw: fromBase64(raw) };
  throw new KilnError("CONFIG_INVALID", `${file} does not hold a manifest`, {
    hint: "Remove the list with `kiln manifest rm` and create it anew.",
  });
}

/** The members that docker writes, in its order. */
export function manifestJson({
  ref,
  descriptor,
  raw,
}: ListedManifest): Readonly<Record<string, unknown>> {
  const key =
    descriptor.mediaType === mediaTypes.dockerManifest ? "SchemaV2Manifest" : "OCIManifest";
  const { mediaType, digest, size, platform } = descriptorJson(descriptor);
  return {
    Ref: ref,
    Descriptor: { mediaType, digest, size, platform },
    Raw: toBase64(raw),
    [key]: JSON.parse(new TextDecoder().decode(raw)) as unknown,
  };
}

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
