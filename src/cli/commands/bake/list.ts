// `--list`: what files define, as a table or as JSON.
import { cutPair, goJson, KilnError, readCsv } from "../../../base/index.ts";
import type { BakeDefinition } from "../../../formats/bake/index.ts";
import { tabbedText } from "../buildctl/tabbed-text.ts";

/** What is listed, and how. */
export interface ListSpec {
  readonly what: "targets" | "variables";
  readonly json: boolean;
}

/** Reads the flag's value: `targets`, `variables`, or `type=targets,format=json`. Throws `FLAG_INVALID`. */
export function parseList(text: string): ListSpec | undefined {
  if (text === "") return undefined;
  const fields = readCsv(text);
  const [only] = fields;
  const pairs =
    fields.length === 1 && only !== undefined && !only.includes("=")
      ? [["type", only] as const]
      : fields.map((field) => cutPair(field) ?? ([field, ""] as const));
  const { type = "", format = "table", ...others } = Object.fromEntries(pairs);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new KilnError("FLAG_INVALID", `unexpected key ${JSON.stringify(unknown)} in --list`, {
      hint: "Keys are type and format.",
    });
  if (type !== "targets" && type !== "variables")
    throw new KilnError("FLAG_INVALID", `invalid list type ${JSON.stringify(type)}`, {
      hint: "Types are targets and variables.",
    });
  if (format !== "table" && format !== "json")
    throw new KilnError("FLAG_INVALID", `invalid list format ${JSON.stringify(format)}`, {
      hint: "Formats are table and json.",
    });
  return { what: type, json: format === "json" };
}

/** The list, ending in a line break where it is a table. */
export function listText(definition: BakeDefinition, { what, json }: ListSpec): string {
  const rows = what === "targets" ? targetRows(definition) : variableRows(definition);
  if (json)
    return `${goJson(
      rows.map(({ document }) => document),
      2,
    )}\n`;
  const head =
    what === "targets" ? ["TARGET", "DESCRIPTION"] : ["VARIABLE", "TYPE", "VALUE", "DESCRIPTION"];
  return tabbedText([head, ...rows.map(({ cells }) => cells)]);
}

interface Row {
  readonly name: string;
  readonly cells: readonly string[];
  readonly document: Readonly<Record<string, unknown>>;
}

/** Groups are described by their targets too. What begins with an underscore is meant for other targets only. */
function targetRows({ groups, targets }: BakeDefinition): readonly Row[] {
  const hidden = (name: string) => name.startsWith("_");
  const ofGroups = groups.map(({ name, description, targets: members }): Row => {
    const list = [...members].sort().join(", ");
    const text = description ? `${description} (${list})` : list;
    return {
      name,
      cells: [name, text],
      document: { name, ...(text === "" ? {} : { description: text }), group: true },
    };
  });
  const ofTargets = targets.map(
    ({ name, fields: { description = "" } }): Row => ({
      name,
      cells: [name, description],
      document: { name, ...(description === "" ? {} : { description }) },
    }),
  );
  return byName([...ofTargets, ...ofGroups].filter(({ name }) => !hidden(name)));
}

function variableRows({ variables }: BakeDefinition): readonly Row[] {
  return byName(
    variables.map(
      ({ name, type = "", value, description = "" }): Row => ({
        name,
        cells: [name, type, value ?? "<null>", description],
        document: {
          name,
          ...(description === "" ? {} : { description }),
          ...(type === "" ? {} : { type }),
          ...(value === undefined ? {} : { value }),
        },
      }),
    ),
  );
}

function byName(rows: readonly Row[]): readonly Row[] {
  return [...rows].sort((a, b) => (a.name < b.name ? -1 : 1));
}
