// What a bake would build, as `--print` shows it: the JSON that buildx writes.
import { goJson } from "../../base/index.ts";
import { compareText } from "../hcl/index.ts";
import type { ResolvedBake } from "./resolve.ts";
import { fieldNames } from "./target.ts";

/** Two blanks of indentation, members in the reference's order, groups and targets by name. Ends in a line break. */
export function bakeJson({ groups, targets }: ResolvedBake): string {
  const shownGroups = [...groups.values()]
    .sort((a, b) => compareText(a.name, b.name))
    .map(({ name, description, targets: members }) => [
      name,
      { ...(description ? { description } : {}), targets: members },
    ]);
  const shownTargets = [...targets.values()]
    .sort((a, b) => compareText(a.name, b.name))
    .map(({ name, fields }) => [
      name,
      Object.fromEntries(
        fieldNames.flatMap((field) =>
          fields[field] === undefined ? [] : [[field, escaped(field, fields[field])]],
        ),
      ),
    ]);
  const document = {
    group: Object.fromEntries(shownGroups),
    target: Object.fromEntries(shownTargets),
  };
  return `${goJson(document, 2)}\n`;
}

/** Attributes whose templates are escaped, so that what is printed can be read again. */
const escapedFields: readonly string[] = [
  "annotations",
  "args",
  "dockerfile-inline",
  "extra-hosts",
  "labels",
];

function escaped(field: string, value: unknown): unknown {
  return escapedFields.includes(field) ? escapeValue(value) : value;
}

function escapeValue(value: unknown): unknown {
  if (typeof value === "string")
    return value.replaceAll("${", () => "$${").replaceAll("%{", () => "%%{");
  if (Array.isArray(value)) return value.map(escapeValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, escapeValue(one)]));
}
