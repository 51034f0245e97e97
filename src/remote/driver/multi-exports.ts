// Outputs of a build that several nodes share: what each is asked for, and what cannot be joined.
import type { Attrs, ExportRequest } from "../../api/index.ts";
import { KilnError, parseBool } from "../../base/index.ts";
import { familiarReference, parseReference } from "../../formats/oci/index.ts";

/** Throws for outputs that are one file of one node, in the reference's words. */
export function checkExports(exporters: readonly ExportRequest[]): void {
  const file = exporters.find(({ type }) => type === "oci" || type === "docker" || type === "tar");
  if (file) {
    throw new KilnError(
      "UNSUPPORTED",
      `${file.type} for multi-node builds currently not supported`,
      {
        hint: "Push the image (--push), write directories (-o DIR), or build with one node: --builder NAME.",
      },
    );
  }
}

/** Images are pushed without a name, to be joined; directories get one directory for each platform. */
export function nodeExports(exporters: readonly ExportRequest[]): readonly ExportRequest[] {
  return exporters.map((one) => {
    if (one.type === "local") return { ...one, attrs: { ...one.attrs, "platform-split": "true" } };
    if (!pushes(one)) return one;
    const repositories = [...new Set(namesOf(one.attrs).map(repositoryOf))];
    const attrs = Object.entries(one.attrs).filter(([key]) => !isIndexAnnotation(key));
    return {
      ...one,
      attrs: {
        ...Object.fromEntries(attrs),
        name: repositories.join(","),
        "push-by-digest": "true",
      },
    };
  });
}

/** The names under which the joined image is to be found. */
export function pushedNames(exporters: readonly ExportRequest[]): readonly string[] {
  return [...new Set(exporters.filter(pushes).flatMap(({ attrs }) => namesOf(attrs)))];
}

function pushes({ type, attrs }: ExportRequest): boolean {
  return type === "image" && (parseBool(attrs["push"] ?? "") ?? false);
}

function namesOf(attrs: Attrs): readonly string[] {
  return (attrs["name"] ?? "").split(",").filter((name) => name !== "");
}

function repositoryOf(name: string): string {
  const { domain, path } = parseReference(name);
  return familiarReference({ domain, path });
}

const ofIndex = "annotation-index.";
const ofDescriptor = /^annotation-manifest-descriptor(?:\[([^\]]+)\])?\.(.+)$/s;

/** Annotations of the index are given when it is made. */
function isIndexAnnotation(key: string): boolean {
  return key.startsWith("annotation-index");
}

/** What the joined index is annotated with (`annotation-index.KEY`). */
export function indexAnnotations(exporters: readonly ExportRequest[]): Attrs {
  const found = exporters
    .filter(pushes)
    .flatMap(({ attrs }) => Object.entries(attrs))
    .filter(([key]) => key.startsWith(ofIndex))
    .map(([key, value]) => [key.slice(ofIndex.length), value] as const);
  return Object.fromEntries(found);
}

/** What the entry of a platform's image is annotated with (`annotation-manifest-descriptor[PLATFORM].KEY`). */
export function descriptorAnnotations(
  exporters: readonly ExportRequest[],
  platform: string,
): Attrs {
  const all = exporters.filter(pushes).flatMap(({ attrs }) =>
    Object.entries(attrs).flatMap(([name, value]) => {
      const [, place, key] = ofDescriptor.exec(name) ?? [];
      return key === undefined ? [] : [{ place, key, value }];
    }),
  );
  // Those for one platform go over those for all.
  const own = [undefined, platform].flatMap((one) => all.filter(({ place }) => place === one));
  return Object.fromEntries(own.map(({ key, value }) => [key, value]));
}
