// A build's details for people, in buildx's layout.
import { type Style, tableText } from "../../report/index.ts";
import type { BuildDetails } from "./details.ts";
import { durationText } from "./facts.ts";

/** `unnamed`: nobody said which build, so its ref is news. `program` is what the user called. */
export function detailsText(
  details: BuildDetails,
  unnamed: boolean,
  style: Style,
  program = "kiln",
): string {
  const blocks = [
    source(details, unnamed),
    course(details),
    settings(details),
    pairs("Named Context", details.NamedContexts),
    pairs("Build Arg", details.BuildArgs),
    pairs("Label", details.Labels),
    failure(details, style),
    materials(details),
    attachments(details),
    `Print build logs: ${program} history logs ${details.Ref}\n`,
  ];
  return blocks.filter((block) => block !== "").join("\n");
}

function fields(rows: readonly (readonly [string, string | undefined])[]): string {
  const present = rows.filter((row): row is readonly [string, string] => Boolean(row[1]));
  return tableText(
    present.map(([name, value]) => [`${name}:`, value]),
    1,
  );
}

function source(details: BuildDetails, unnamed: boolean): string {
  return fields([
    ["Name", details.Name],
    ["Ref", unnamed ? details.Ref : undefined],
    ["Context", details.Context],
    ["Dockerfile", details.Dockerfile],
    ["VCS Repository", details.VCSRepository],
    ["VCS Revision", details.VCSRevision],
    ["Target", details.Target],
    ["Platforms", details.Platform?.join(", ")],
    ["Keep Git Dir", details.KeepGitDir ? "true" : undefined],
  ]);
}

function course(details: BuildDetails): string {
  const { NumTotalSteps: total, NumCompletedSteps: completed, NumCachedSteps: cached } = details;
  const share = total > 0 ? ` (${Math.round((cached / total) * 100)}% cached)` : "";
  const word = details.Status[0]?.toUpperCase() + details.Status.slice(1);
  return fields([
    ["Started", details.StartedAt.replace("T", " ").replace(/\.\d+Z$/, "")],
    ["Duration", durationText(details.Duration / 1_000_000)],
    ["Status", details.Status === "completed" ? undefined : word],
    ["Build Steps", `${completed}/${total}${share}`],
  ]);
}

/** `ImageResolveMode` as `Image Resolve Mode`. */
function settings({ Config = {} }: BuildDetails): string {
  return fields(
    Object.entries(Config)
      .filter(([name]) => name !== "RestRaw")
      .map(([name, value]) => [
        name.replace(/(?<=[a-z])(?=[A-Z])/g, " "),
        Array.isArray(value) ? value.join(", ") : String(value),
      ]),
  );
}

function pairs(
  title: string,
  values: readonly { readonly Name: string; readonly Value: string }[] = [],
): string {
  if (values.length === 0) return "";
  return tableText([
    [title.toUpperCase(), "VALUE"],
    ...values.map(({ Name, Value }) => [Name, Value]),
  ]);
}

function failure({ Error: error }: BuildDetails, style: Style): string {
  if (!error) return "";
  const step = error.Name === undefined ? [] : [` > ${error.Name}:`];
  const lines = (error.Logs ?? []).map((line) => ` ${line}`);
  return `${style.red("Error:")} ${error.Message}\n${[...step, ...lines].map((line) => `${line}\n`).join("")}`;
}

function materials({ Materials = [] }: BuildDetails): string {
  if (Materials.length === 0) return "";
  const rows = Materials.map(({ URI, Digests }) => [URI, Digests.join(", ")]);
  return `Materials:\n${tableText([["URI", "DIGEST"], ...rows])}`;
}

function attachments({ Attachments = [] }: BuildDetails): string {
  if (Attachments.length === 0) return "";
  const rows = Attachments.map(({ Digest, Platform = "", Type }) => [Digest, Platform, Type]);
  return `Attachments:\n${tableText([["DIGEST", "PLATFORM", "TYPE"], ...rows])}`;
}
