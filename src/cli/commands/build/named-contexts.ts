// `--build-context`: directories and OCI layouts are lent, everything else goes to the frontend as it is.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { closest, type Digest, isDigest, KilnError, parseDigest } from "../../../base/index.ts";
import { parseIndex } from "../../../formats/oci/index.ts";
import { isDirectory, isRemote, type Sources } from "./sources.ts";

export interface NamedContexts extends Sources {
  /** OCI layouts by the name they are lent under. Absolute. */
  readonly layouts: ReadonlyMap<string, string>;
}

/** Throws `CONTEXT_NOT_FOUND` for directories and images of layouts that are not there. */
export function findNamedContexts(
  contexts: Readonly<Record<string, string>>,
  cwd: string,
): NamedContexts {
  const attrs: Record<string, string> = {};
  const directories = new Map<string, string>();
  const layouts = new Map<string, string>();
  for (const [name, source] of Object.entries(contexts)) {
    attrs["frontend.caps"] = "moby.buildkit.frontend.contexts+forward";
    const layout = /^oci-layout:\/\/(.*)$/s.exec(source)?.[1];
    if (layout !== undefined) {
      const { path, tag, digest } = findLayout(name, layout, cwd);
      // The same directory has the same name in every build, so that what was left there is found again.
      const store = createHash("sha256").update(path).digest("hex").slice(0, 25);
      layouts.set(store, path);
      attrs[`context:${name}`] = `oci-layout://${store}:${tag}@${digest}`;
    } else if (
      (!isDirectory(resolve(cwd, source)) && isRemote(source)) ||
      /^(docker-image|target):/.test(source)
    ) {
      attrs[`context:${name}`] = source;
    } else {
      attrs[`context:${name}`] = `local:${name}`;
      directories.set(name, findDirectory(name, source, cwd));
    }
  }
  return { attrs, directories, layouts };
}

function findDirectory(name: string, source: string, cwd: string): string {
  const directory = resolve(cwd, source);
  if (isDirectory(directory)) return directory;
  const what = existsSync(directory) ? "is not a directory" : "does not exist";
  throw new KilnError("CONTEXT_NOT_FOUND", `build context ${name}=${source} ${what}`, {
    hint: "For an image, write NAME=docker-image://REF.",
  });
}

/** `PATH[:TAG][@DIGEST]`: without a digest, what the layout's index has under the tag. */
function findLayout(
  name: string,
  text: string,
  cwd: string,
): { readonly path: string; readonly tag: string; readonly digest: Digest } {
  const shown = `build context ${name}=oci-layout://${text}`;
  const [rest = "", digest] = text.split("@");
  const [, written = rest, tag = "latest"] = /^(.*):([\w][\w.-]{0,127})$/s.exec(rest) ?? [];
  const path = resolve(cwd, written);
  if (!existsSync(join(path, "oci-layout")) && !existsSync(join(path, "index.json"))) {
    const what = isDirectory(path) ? "is not an OCI layout" : "does not exist";
    throw new KilnError("CONTEXT_NOT_FOUND", `${shown}: ${written} ${what}`, {
      hint: "Give a directory with index.json and blobs, such as -o type=oci,tar=false,dest=DIR makes.",
    });
  }
  if (digest === undefined) return { path, tag, digest: taggedDigest(path, tag, shown) };
  if (isDigest(digest)) return { path, tag, digest: parseDigest(digest) };
  throw new KilnError("FLAG_INVALID", `${shown}: ${digest} is not a digest`);
}

/** Largest index.json that is read, in bytes. */
const maxIndexSize = 4 << 20;

function taggedDigest(path: string, tag: string, shown: string): Digest {
  const data = readFileSync(join(path, "index.json"));
  if (data.length > maxIndexSize)
    throw new KilnError("IMAGE_INVALID", `${shown}: index.json has ${data.length} bytes`);
  const { manifests } = parseIndex(data);
  const names = manifests.map(({ annotations }) => [
    annotations?.["org.opencontainers.image.ref.name"],
    annotations?.["io.containerd.image.name"]?.replace(/^.*:/, ""),
  ]);
  const found = manifests.find((_, at) => names[at]?.includes(tag));
  if (found) return found.digest;
  const [only] = manifests;
  // A layout of one image needs no tag.
  if (only && manifests.length === 1 && names[0]?.every((one) => one === undefined))
    return only.digest;
  const known = names.flat().filter((one) => one !== undefined);
  const near = closest(tag, known);
  throw new KilnError("CONTEXT_NOT_FOUND", `${shown}: the layout has no image tagged ${tag}`, {
    hint: near
      ? `Did you mean :${near}?`
      : known.length > 0
        ? `Its tags are ${known.slice(0, 10).join(", ")}.`
        : "Name the image by its digest: oci-layout://PATH@sha256:….",
  });
}
