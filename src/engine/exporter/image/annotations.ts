// `annotation[-TYPE][[PLATFORM]].KEY=VALUE`: words for a manifest, an index, or the descriptor of one.
import type { Attrs } from "../../../api/index.ts";
import { sortedRecord } from "../../../base/index.ts";
import { formatPlatform, type Platform, parsePlatform } from "../../../formats/oci/index.ts";
import { badAttribute } from "../attributes.ts";

const places = ["manifest", "manifest-descriptor", "index", "index-descriptor"] as const;

/** The document that an annotation is for. */
export type AnnotationPlace = (typeof places)[number];

export interface Annotation {
  readonly place: AnnotationPlace;
  /** As `formatPlatform` spells it; undefined is every platform. */
  readonly platform: string | undefined;
  readonly key: string;
  readonly value: string;
}

/** What the names of annotation attributes begin with. */
export const annotationPrefix: RegExp = /^annotation[-.[]/;

const pattern = /^annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/-]+)\])?\.(\S+)$/;

/** Throws `FLAG_INVALID` or `PLATFORM_INVALID` for what begins like an annotation and is none. */
export function parseAnnotations(attrs: Attrs): readonly Annotation[] {
  return Object.entries(attrs)
    .filter(([name]) => annotationPrefix.test(name))
    .map(([name, value]) => parseAnnotation(name, value));
}

function parseAnnotation(name: string, value: string): Annotation {
  const [, type, platform, key = ""] = pattern.exec(name) ?? [];
  if (key === "") {
    throw badAttribute(name, value, "expected annotation[-TYPE][[PLATFORM]].KEY=VALUE");
  }
  const place = type === undefined ? "manifest" : places.find((one) => one === type);
  if (place === undefined) {
    throw badAttribute(name, value, `${type} is none of ${places.join(", ")}`);
  }
  if (platform !== undefined && place.startsWith("index")) {
    throw badAttribute(name, value, "an index is the same for all platforms");
  }
  return { place, platform: platform && spellPlatform(platform), key, value };
}

/** A platform that names no variant means the plain one, whatever machine this runs on. */
function spellPlatform(text: string): string {
  return formatPlatform(parsePlatform(text, { os: "linux", architecture: "" }));
}

/** The annotations for one document, sorted; undefined where there are none. A platform's own win over those for all. */
export function selectAnnotations(
  annotations: readonly Annotation[],
  place: AnnotationPlace,
  platform?: Platform,
): Readonly<Record<string, string>> | undefined {
  const here = annotations.filter((one) => one.place === place);
  const forAll = here.filter((one) => one.platform === undefined);
  const own = here.filter((one) => platform && one.platform === formatPlatform(platform));
  const found = [...forAll, ...own].map((one) => [one.key, one.value] as const);
  return found.length === 0 ? undefined : sortedRecord(Object.fromEntries(found));
}
