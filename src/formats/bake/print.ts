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
          fields[field] === undefined ? [] : [[field, fields[field]]],
        ),
      ),
    ]);
  const document = {
    group: Object.fromEntries(shownGroups),
    target: Object.fromEntries(shownTargets),
  };
  return `${goJson(document, 2)}\n`;
}
