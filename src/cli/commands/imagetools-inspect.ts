// kiln imagetools inspect: what a registry or a layout has under a name, without downloading it.
import { goJson, KilnError } from "../../base/index.ts";
import {
  type Descriptor,
  formatPlatformFully,
  formatReference,
  parseManifestDocument,
} from "../../formats/oci/index.ts";
import { jsonOf, parseTemplate, type Template } from "../../formats/template/index.ts";
import { type Command, defineCommand, type RunWorld } from "./command.ts";
import { descriptorAt, namedPlace, openPlaces, type Place } from "./image-places.ts";
import { type Inspected, inspectValue } from "./inspect-data.ts";

const standardFormat = "{{.Manifest}}";

export const imagetoolsInspect: Command = defineCommand({
  spec: {
    path: ["imagetools", "inspect"],
    argsUsage: "NAME",
    args: { min: 1, max: 1 },
    summary: "Show details of an image in the registry",
    about:
      "NAME is a name in a registry, or oci-layout://DIRECTORY[:TAG][@DIGEST]. Formats are Go templates over .Name, .Manifest, .Image, .Provenance and .SBOM; the last three are maps by platform where there are images for several.",
    examples: [
      { what: "List the platforms behind a name", run: "kiln imagetools inspect alpine" },
      {
        what: "Print the index as the registry has it",
        run: "kiln imagetools inspect --raw alpine",
      },
      {
        what: "Print the digest",
        run: "kiln imagetools inspect --format '{{.Manifest.Digest}}' alpine",
      },
      {
        what: "Print one platform's configuration",
        run: "kiln imagetools inspect --format '{{json (index .Image \"linux/arm64\").Config}}' alpine",
      },
    ],
    flags: {
      format: {
        type: "string",
        default: standardFormat,
        value: "template",
        usage: "Format the output using the given Go template",
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
    const { format } = values;
    const template = isStandard(format)
      ? undefined
      : parseTemplate(format, { json: (value) => goJson(jsonOf(value), 2) });
    using places = await openPlaces(world);
    const place = places.place(name);
    const inspected = await fetchManifest(place, world);
    if (values.raw) world.stdout.write(inspected.data);
    else if (template) world.stdout.write(await formatted(template, format, inspected, world));
    else world.stdout.write(summary(place, inspected));
    return 0;
  },
});

function isStandard(format: string): boolean {
  return format === "" || format.replaceAll(/\s+/g, "") === standardFormat;
}

async function fetchManifest(place: Place, world: RunWorld): Promise<Inspected> {
  const descriptor = await descriptorAt(place, world);
  const repository = place.pull();
  const data = await repository.readManifest(descriptor, world.call);
  const document = parseManifestDocument(data, descriptor.mediaType);
  const index = document.kind === "index" ? document.index : undefined;
  return { name: namedPlace(place), descriptor, data, index, repository, listing: place.listing() };
}

async function formatted(
  template: Template,
  format: string,
  inspected: Inspected,
  world: RunWorld,
): Promise<string> {
  // A template that prints everything, or goes over it, mentions no field by name.
  const whole = /\{\{-?\s*(json\s+)?\.\s*[|}-]|\$(?!\w)(?!\.)|range\s+\.\s*\}/.test(format);
  const wanted = {
    image: whole || format.includes(".Image"),
    attestations: whole || format.includes(".Provenance") || format.includes(".SBOM"),
  };
  const text = template.execute(await inspectValue(inspected, wanted, world.call));
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

/** Name, type and digest, then one block for each image behind an index: buildx's layout. */
function summary(place: Place, { name, descriptor, index }: Inspected): string {
  const lines = [
    field("Name:", name, ""),
    field("MediaType:", descriptor.mediaType, ""),
    field("Digest:", descriptor.digest, ""),
  ];
  if (index) {
    const named = entryName(place, name);
    const blocks = index.manifests.map((entry) => entryLines(entry, named).join("\n"));
    lines.push("", `Manifests: ${blocks.length === 0 ? "none" : ""}`, blocks.join("\n\n"));
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

/** Named with the tag, as buildx does: the digest decides. */
function entryName({ reference, repository }: Place, name: string): string {
  if (!reference) return repository;
  const { digest: _, ...named } = reference;
  return reference.digest === undefined ? name : formatReference(named);
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
