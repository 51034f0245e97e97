// What docker buildx refuses and Kiln by its own name does not: combinations and empty values that scripts rely on being told of.
import { KilnError, parseBool } from "../../../base/index.ts";
import type { Flags } from "../../flags/index.ts";
import type { BuildFlags } from "../build/flags.ts";

/** Everything that buildx would not take, in its words. Empty where nothing is wrong. */
export function buildxMistakes(
  { values }: Flags<BuildFlags>,
  context: string,
  contexts: Readonly<Record<string, string>>,
): readonly KilnError[] {
  const found: string[] = [];
  if (context === "")
    found.push('please specify build context (e.g. "." for the current directory)');
  if (values["no-cache"] && values["no-cache-filter"].length > 0)
    found.push("--no-cache and --no-cache-filter cannot currently be used together");
  if (values.platform.some((one) => one === ""))
    found.push('"" is an invalid OS component of "": invalid argument');
  if (values.tag.some((one) => one === ""))
    found.push('invalid tag "": repository name must have at least one component');
  const attested = values.attest.length > 0 || isOn(values.provenance) || isOn(values.sbom);
  if (attested && values.output.some(isDockerArchive))
    found.push(
      "docker exporter does not support exporting manifest lists, use the oci exporter instead",
    );
  for (const [name, value] of Object.entries(contexts)) {
    const [, target] = /^target:(.*)$/s.exec(value) ?? [];
    if (target !== undefined) found.push(`failed to find target ${target} for context ${name}`);
  }
  return found.map((message) => new KilnError("FLAG_INVALID", message, { details: { late: 1 } }));
}

function isOn(shorthand: string): boolean {
  return shorthand !== "" && parseBool(shorthand) !== false;
}

function isDockerArchive(output: string): boolean {
  return /(^|,)type=docker(,|$)/.test(output) && /(^|,)dest=/.test(output);
}

/** Of caches that say too little of where they are. */
export function cacheMistakes(
  entries: readonly { readonly type: string; readonly attrs: Readonly<Record<string, string>> }[],
  way: "importer" | "exporter",
): readonly KilnError[] {
  const needed: Readonly<Record<string, string>> = {
    local: way === "importer" ? "src" : "dest",
    registry: "ref",
  };
  return entries.flatMap(({ type, attrs }) => {
    const key = needed[type];
    if (key === undefined || attrs[key]) return [];
    const message = `${type} cache ${way} requires ${key}`;
    return [new KilnError("FLAG_INVALID", message, { details: { late: 1 } })];
  });
}
