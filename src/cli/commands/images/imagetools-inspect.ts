// kiln imagetools inspect: what a registry or a layout has under a name, without downloading it.
import { goJson, KilnError, sortedRecord } from "../../../base/index.ts";
import {
  type Descriptor,
  formatPlatformFully,
  formatReference,
  parseManifestDocument,
} from "../../../formats/oci/index.ts";
import { jsonOf, parseTemplate, type Template } from "../../../formats/template/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
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
    else if (template)
      world.stdout.write(await formatted(template, format, { ...inspected, name }, world));
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
  // A script gets what the template says, and no more.
  return text === "" || text.endsWith("\n") || !world.stdout.isTerminal ? text : `${text}\n`;
}

/** Name, type and digest, then one block for each image behind an index: buildx's layout, to the last blank. */
function summary(place: Place, { name, descriptor, index }: Inspected): string {
  const head: Row[] = [
    ["Name:", name],
    ["MediaType:", descriptor.mediaType],
    ["Digest:", descriptor.digest],
  ];
  if (!index) return columns(head);
  const named = entryName(place, name);
  const blocks = [columns([...head, ["", ""], ["Manifests:", ""]])];
  // Columns are as wide as what is above the next annotations needs.
  let rows: Row[] = [];
  for (const [at, entry] of index.manifests.entries()) {
    if (at > 0) rows.push(["  ", ""]);
    rows.push(...entryRows(entry, named));
    const notes = annotationRows(entry);
    if (notes.length === 0) continue;
    blocks.push(columns([...rows, ["  Annotations:", ""]]), columns(notes));
    rows = [];
  }
  return `${blocks.join("")}${columns(rows)}`;
}

/** A label, indented, and what it says. */
type Row = readonly [string, string];

function columns(rows: readonly Row[]): string {
  const width = Math.max(0, ...rows.map(([label]) => label.length)) + 1;
  return rows.map(([label, text]) => `${label.padEnd(width)}${text}\n`).join("");
}

/** Named with the tag, as buildx does: the digest decides. */
function entryName({ reference, repository }: Place, name: string): string {
  if (!reference) return repository;
  const { digest: _, ...named } = reference;
  return reference.digest === undefined ? name : formatReference(named);
}

function entryRows({ digest, mediaType, platform }: Descriptor, name: string): readonly Row[] {
  return [
    ["  Name:", `${name}@${digest}`],
    ["  MediaType:", mediaType],
    ...(platform ? [["  Platform:", formatPlatformFully(platform)] as const] : []),
  ];
}

function annotationRows({ annotations = {} }: Descriptor): readonly Row[] {
  return Object.entries(sortedRecord(annotations)).map(([key, value]) => [`    ${key}:`, value]);
}
