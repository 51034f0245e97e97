// kiln ls: which builders there are.
import { goJson } from "../../../base/index.ts";
import { parseTemplate } from "../../../formats/template/index.ts";
import { tableText } from "../../report/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { rowStruct } from "../machine/row-format.ts";
import { askEmbedded } from "./builder.ts";
import { activityText, builderDocument } from "./builder-documents.ts";
import { type BuilderView, platformNames, shortPlatforms, viewBuilder } from "./builder-views.ts";
import { openKnownBuilders } from "./known-builders.ts";

export const ls: Command = defineCommand({
  spec: {
    path: ["ls"],
    args: { min: 0, max: 0 },
    summary: "List builder instances",
    about:
      "Lists the builders that 'kiln create' and 'docker buildx create' made, docker's contexts, and the embedded builder, which needs no set-up. The current one has a star.",
    flags: {
      format: {
        type: "string",
        default: "table",
        value: "table|json|TEMPLATE",
        usage:
          "Format the output: table, json, or a Go template over .Name .DriverEndpoint .LastActivity .Status .Buildkit .Platforms .Error .Builder",
      },
      "no-trunc": { type: "bool", usage: "Don't truncate output" },
      timeout: {
        type: "duration",
        default: "20s",
        usage: "Override the default timeout for loading builder status",
      },
    },
  },
  async run({ values }, _args, world) {
    const known = await openKnownBuilders(world);
    const options = { known, timeout: values.timeout, askEmbedded: askEmbedded(world) };
    const views = await Promise.all(
      known.all().map((one) => viewBuilder(one, options, world.call)),
    );
    const ordered = [...views.filter(isWell), ...views.filter((view) => !isWell(view))];
    world.stdout.write(formatted(ordered, values.format, values["no-trunc"]));
    sayFailures(views, world);
    return 0;
  },
});

function isWell(view: BuilderView): boolean {
  return view.error === undefined;
}

/** What the table has no room for. */
function sayFailures(views: readonly BuilderView[], world: RunWorld): void {
  const lines = views.flatMap((view) =>
    view.error === undefined
      ? view.nodes.flatMap(({ record, info }) =>
          info.error === undefined
            ? []
            : [`Failed to get status for ${view.name} (${record.name}): ${info.error}`],
        )
      : [`Cannot load builder ${view.name}: ${view.error}`],
  );
  if (lines.length > 0) world.stderr.write(["", ...lines, ""].join("\n"));
}

const headings = {
  Name: "NAME/NODE",
  DriverEndpoint: "DRIVER/ENDPOINT",
  LastActivity: "LAST ACTIVITY",
  Status: "STATUS",
  Buildkit: "BUILDKIT",
  Platforms: "PLATFORMS",
  Error: "ERROR",
  Builder: "BUILDER",
};

const standard = "{{.Name}}\t{{.DriverEndpoint}}\t{{.Status}}\t{{.Buildkit}}\t{{.Platforms}}";

/** Columns as docker's formatter has them: at least ten wide, three blanks between. */
const table = { gap: 3, least: 10 };

/** Exported for its test. */
export function formatted(views: readonly BuilderView[], format: string, noTrunc: boolean): string {
  if (format === "json") return views.map((view) => `${goJson(builderDocument(view))}\n`).join("");
  // A row is its builder where it is shown whole.
  if (/^\{\{\s*json\s+\.\s*\}\}$/.test(format))
    return views
      .flatMap((view) => Array(view.nodes.length + 1).fill(`${goJson(builderDocument(view))}\n`))
      .join("");
  const asTable = /^table(\s+|$)/.exec(format);
  const body = format.slice(asTable?.[0].length ?? 0) || standard;
  const template = parseTemplate(body.replaceAll("\\t", "\t").replaceAll("\\n", "\n"));
  const look = { marks: Boolean(asTable), short: Boolean(asTable) && !noTrunc };
  const rows = views
    .flatMap((view) => rowsOf(view, look))
    .map((row) => template.execute(rowStruct(row, headings)));
  if (!asTable) return rows.map((row) => `${row}\n`).join("");
  const lines = [template.execute(rowStruct(headings, headings)), ...rows].map((row) =>
    row.split("\t"),
  );
  return tableText(lines, table.gap, table.least);
}

interface RowLook {
  /** The star of the current builder, and the branches before nodes. */
  readonly marks: boolean;
  readonly short: boolean;
}

function rowsOf(
  view: BuilderView,
  { marks, short }: RowLook,
): readonly Readonly<Record<string, unknown>>[] {
  const branch = marks ? " \\_ " : "";
  const Builder = builderDocument(view);
  const nodes = view.nodes.map(({ record, info }) => {
    const names = platformNames(record.platforms, info.platforms);
    return {
      Name: branch + record.name,
      DriverEndpoint: branch + record.endpoint,
      LastActivity: "",
      Status: info.status,
      Buildkit: info.version ?? "",
      Platforms: short ? shortPlatforms(names) : names.join(", "),
      Error: info.error ?? "",
      Builder,
    };
  });
  const own = {
    Name: view.name + (marks && view.current ? "*" : ""),
    DriverEndpoint: view.driver,
    LastActivity: activityText(view),
    Status: view.error === undefined ? "" : "error",
    Buildkit: "",
    Platforms: "",
    Error: view.error ?? "",
    Builder,
  };
  return [own, ...nodes];
}
