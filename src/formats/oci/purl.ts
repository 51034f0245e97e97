// Package URLs (purl-spec) of images: how provenance names what went in and what came out.
import { formatPlatform } from "./platform.ts";
import { familiarReference, type Reference, withDefaultTag } from "./reference.ts";
import type { Platform } from "./types.ts";

/** `pkg:docker/NAME@TAG?digest=…&platform=…`, with the qualifiers that there are; `oci` for images of layouts. */
export function imagePurl(
  reference: Reference,
  platform: Platform | undefined,
  type: "docker" | "oci" = "docker",
): string {
  const { digest, ...unpinned } = reference;
  const named = digest === undefined ? withDefaultTag(reference) : reference;
  const { tag, ...bare } = unpinned;
  const name = familiarReference(bare).split("/").map(escapePart).join("/");
  const version = named.tag === undefined ? "" : `@${escapePart(named.tag)}`;
  const qualifiers = [
    ...(digest === undefined ? [] : [`digest=${digest}`]),
    ...(platform ? [`platform=${encodeURIComponent(formatPlatform(platform))}`] : []),
  ];
  return `pkg:${type}/${name}${version}${qualifiers.length > 0 ? `?${qualifiers.join("&")}` : ""}`;
}

/** Colons stay, as the specification has it. */
function escapePart(text: string): string {
  return encodeURIComponent(text).replaceAll("%3A", ":");
}
