// Outputs of a build that several nodes share: what each is asked for, and what cannot be joined.
import type { Attrs, ExportRequest } from "../../api/index.ts";
import { KilnError, parseBool } from "../../base/index.ts";
import { familiarReference, parseReference } from "../../formats/oci/index.ts";

/** Throws for outputs that are one file of one node. */
export function checkExports(exporters: readonly ExportRequest[]): void {
  const file = exporters.find(({ type }) => type === "oci" || type === "docker" || type === "tar");
  if (file) {
    throw new KilnError(
      "UNSUPPORTED",
      `a ${file.type} archive cannot be put together from several nodes`,
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

/** Annotations of the index are given when it is made. */
function isIndexAnnotation(key: string): boolean {
  return key.startsWith("annotation-index");
}
