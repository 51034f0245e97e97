// --annotation: `[index|manifest|index-descriptor|manifest-descriptor[,...][[PLATFORM]]:]KEY=VALUE`.

import { cutPair } from "../../base/index.ts";
import { formatPlatform, type Platform, parsePlatform } from "../../formats/oci/index.ts";
import { invalidValue } from "./values.ts";

const annotationTypes = ["index", "index-descriptor", "manifest", "manifest-descriptor"];

/** One annotation and where it goes; an empty type is the manifest, as the exporters read it. */
export interface Annotation {
  readonly type: string;
  readonly platform?: Platform;
  readonly key: string;
  readonly value: string;
}

/** Reads the values of `--annotation`; the same key in the same place keeps its last value. */
export function parseAnnotations(values: readonly string[], host: Platform): readonly Annotation[] {
  const all = values
    .filter((value) => value !== "")
    .flatMap((value) => parseAnnotation(value, host));
  return [...new Map(all.map((annotation) => [annotationAttr(annotation), annotation])).values()];
}

function parseAnnotation(text: string, host: Platform): Annotation[] {
  const pair = cutPair(text);
  if (!pair) throw invalidValue("--annotation", text, "expected key=value");
  const [left, value] = pair;
  const colon = left.indexOf(":");
  if (colon === -1) return [{ type: "", key: left, value }];
  const key = left.slice(colon + 1);
  return left
    .slice(0, colon)
    .split(",")
    .map((place) => ({ ...parsePlace(place, text, host), key, value }));
}

function parsePlace(
  place: string,
  text: string,
  host: Platform,
): { type: string; platform?: Platform } {
  const match = /^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$/.exec(place);
  if (!match?.[1]) {
    throw invalidValue(
      "--annotation",
      text,
      `${JSON.stringify(place)} is no type with an optional platform in brackets`,
    );
  }
  if (!annotationTypes.includes(match[1])) {
    throw invalidValue(
      "--annotation",
      text,
      `unknown type ${JSON.stringify(match[1])}`,
      `Types are ${annotationTypes.join(", ")}.`,
    );
  }
  return {
    type: match[1],
    ...(match[2] === undefined ? {} : { platform: parsePlatform(match[2], host) }),
  };
}

/** The exporter attribute that stands for it: `annotation-manifest[linux/amd64].key` (D-40). */
export function annotationAttr({ type, platform, key }: Annotation): string {
  const kind = type === "" ? "" : `-${type}`;
  const place = platform === undefined ? "" : `[${formatPlatform(platform)}]`;
  return `annotation${kind}${place}.${key}`;
}
