// kiln imagetools inspect: what a registry has under a name, without downloading it.
import { KilnError } from "../../base/index.ts";
import {
  type Descriptor,
  descriptorJson,
  formatPlatformFully,
  formatReference,
  parseManifestDocument,
  parseReference,
  repositoryName,
  withDefaultTag,
} from "../../formats/oci/index.ts";
import { createRegistry, type Manifests } from "../../storage/registry/index.ts";
import { openClientConfig, userAgent } from "./builder.ts";
import { type Command, defineCommand, type RunWorld } from "./command.ts";

const standardFormat = "{{.Manifest}}";

export const imagetoolsInspect: Command = defineCommand({
  spec: {
    path: ["imagetools", "inspect"],
    argsUsage: "NAME",
    args: { min: 1, max: 1 },
    summary: "Show details of an image in the registry",
    examples: [
      { what: "List the platforms behind a name", run: "kiln imagetools inspect alpine" },
      {
        what: "Print the index as the registry has it",
        run: "kiln imagetools inspect --raw alpine",
      },
    ],
    flags: {
      format: {
        type: "string",
        default: standardFormat,
        value: "template",
        usage: "Format the output ({{.Manifest}}, {{json .Manifest}})",
      },
      raw: { type: "bool", usage: "Show original, unformatted JSON manifest" },
    },
  },
  async run({ values, given }, [name = ""], world) {
    if (values.raw && given("format")) {
      throw new KilnError("FLAG_INVALID", "--format and --raw contradict each other", {
        hint: "Leave one of them out.",
      });
    }
    const print = formatOf(values.format);
    const { reference, descriptor, data } = await fetchManifest(name, world);
    world.stdout.write(values.raw ? data : print(reference, descriptor, data));
    return 0;
  },
});

type Format = (reference: string, descriptor: Descriptor, data: Uint8Array) => string;

function formatOf(template: string): Format {
  const compact = template.replaceAll(/\s+/g, " ").replaceAll("{{ ", "{{").replaceAll(" }}", "}}");
  if (compact === standardFormat || compact === "") return summary;
  if (compact === "{{json .Manifest}}" || compact === "{{json .}}") return asJson;
  throw new KilnError("UNSUPPORTED", `--format ${JSON.stringify(template)} is not supported yet`, {
    hint: "Use --raw, or --format '{{json .Manifest}}', and a JSON tool.",
  });
}

async function fetchManifest(
  name: string,
  world: RunWorld,
): Promise<{ reference: string; descriptor: Descriptor; data: Uint8Array }> {
  const reference = withDefaultTag(parseReference(name));
  const config = await openClientConfig(world);
  using registry = createRegistry({
    credentials: config.credentials,
    hosts: config.hosts,
    userAgent,
  });
  const repository: Manifests = registry.pull(repositoryName(reference));
  const full = formatReference(reference);
  const descriptor = await repository.resolve(
    reference.digest ?? reference.tag ?? "latest",
    world.call,
  );
  if (!descriptor) {
    throw new KilnError("IMAGE_NOT_FOUND", `${full}: not found in the registry`, {
      hint: "Check the name and the tag, and that you may read the repository.",
    });
  }
  return {
    reference: full,
    descriptor,
    data: await repository.readManifest(descriptor, world.call),
  };
}

/** Name, type and digest, then one block for each image behind an index: buildx's layout. */
function summary(reference: string, descriptor: Descriptor, data: Uint8Array): string {
  const document = parseManifestDocument(data, descriptor.mediaType);
  const lines = [
    field("Name:", reference, ""),
    field("MediaType:", descriptor.mediaType, ""),
    field("Digest:", descriptor.digest, ""),
  ];
  if (document.kind === "index") {
    // Named with the tag, as buildx does: the digest decides.
    const { digest: _, ...named } = parseReference(reference);
    const blocks = document.index.manifests.map((entry) =>
      entryLines(entry, formatReference(named)).join("\n"),
    );
    lines.push("", `Manifests: ${blocks.length === 0 ? "none" : ""}`, blocks.join("\n\n"));
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

function entryLines(entry: Descriptor, name: string): string[] {
  const indent = "  ";
  const lines = [
    field("Name:", `${name}@${entry.digest}`, indent),
    field("MediaType:", entry.mediaType, indent),
    ...(entry.platform ? [field("Platform:", formatPlatformFully(entry.platform), indent)] : []),
    ...(entry.artifactType === undefined
      ? []
      : [field("ArtifactType:", entry.artifactType, indent)]),
  ];
  const notes = Object.entries(entry.annotations ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  if (notes.length === 0) return lines;
  return [
    ...lines,
    `${indent}Annotations: `,
    ...notes.map(([key, value]) => `${indent}  ${`${key}:`.padEnd(30)} ${value}`),
  ];
}

function field(label: string, value: string, indent: string): string {
  return `${indent}${label.padEnd(11)}${value}`;
}

/** Buildx's `{{json .Manifest}}`: the document with its digest and size. */
function asJson(_reference: string, descriptor: Descriptor, data: Uint8Array): string {
  const document = JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>;
  const { mediaType, digest, size } = descriptorJson(descriptor);
  return `${JSON.stringify({ ...document, mediaType, digest, size }, undefined, 2)}\n`;
}
