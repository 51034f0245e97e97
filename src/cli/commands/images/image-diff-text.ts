// The differences of two images, for people and for programs.
import { goJson } from "../../../base/index.ts";
import type { FileChange, ValueChange } from "../../../storage/image/index.ts";
import type { Style } from "../../report/index.ts";
import type { PlatformDiff } from "./image-diff.ts";

/** Values and files that are shown of one platform before the rest is only counted. */
const mostShown = 40;

/** The differences for people. Platforms that differ in the same way are told of together. */
export function diffText(
  [before, after]: readonly [string, string],
  diffs: readonly PlatformDiff[],
  style: Style,
  most: number = mostShown,
): string {
  if (diffs.length === 0) return `${style.green("same image")}: ${before} and ${after}\n`;
  const titles = new Map<string, string[]>();
  for (const diff of diffs) {
    const text = platformLines(diff, style, most).join("\n");
    titles.set(text, [...(titles.get(text) ?? []), diff.platform]);
  }
  const blocks = [...titles].map(
    ([text, platforms]) => `\n${style.bold(platforms.join(", "))}${text}`,
  );
  const names = [`${style.red("-")} ${before}`, `${style.green("+")} ${after}`];
  return `${[...names, ...blocks].join("\n")}\n`;
}

/** What follows the platform's name: the rest of its line, then lines of their own. */
function platformLines(diff: PlatformDiff, style: Style, most: number): readonly string[] {
  const [one, two] = diff.digests;
  if (!one) return [`  ${style.green("only in the second")} ${style.dim(two ?? "")}`];
  if (!two) return [`  ${style.red("only in the first")} ${style.dim(one)}`];
  const values = diff.config.map((change) => valueLine(change, style));
  const files = diff.files.map((change) => fileLine(change, style));
  const layers = layerLines(diff.layers, style);
  const nothing = values.length + files.length + layers.length === 0;
  return [
    "",
    ...section("config", values, most, style),
    ...layers,
    ...section("files", files, most, style),
    ...(nothing ? ["  only descriptors or annotations differ"] : []),
  ];
}

function section(
  title: string,
  all: readonly string[],
  most: number,
  style: Style,
): readonly string[] {
  if (all.length === 0) return [];
  const shown = all.slice(0, most);
  const rest = all.length - shown.length;
  const more = rest > 0 ? [style.dim(`    and ${rest} more (--all shows them)`)] : [];
  return [`  ${title}`, ...shown.map((line) => `    ${line}`), ...more];
}

/** What is the same at the beginning and at the end is only counted. */
function layerLines(
  { same, before, after, repacked }: PlatformDiff["layers"],
  style: Style,
): readonly string[] {
  if (repacked) return ["  layers", "    ~ same contents, packed otherwise"];
  if (same === before.length && same === after.length) return [];
  const most = Math.min(before.length, after.length) - same;
  let last = 0;
  while (last < most && before[before.length - 1 - last] === after[after.length - 1 - last]) last++;
  const named = (from: number, to: number) => (from === to ? `${from}` : `${from} to ${to}`);
  const equal = (count: number, from: number, moved = 0) => {
    if (count === 0) return [];
    const where = moved === 0 ? "" : `, now ${named(from + moved, from + moved + count - 1)}`;
    const verb = count === 1 ? "is" : "are";
    const which = named(from, from + count - 1);
    return [style.dim(`    = ${which} ${verb} the same${where}`)];
  };
  const changed = (mark: string, ids: readonly string[]) =>
    ids.slice(same, ids.length - last).map((id, i) => `    ${mark} ${same + i + 1} ${shortId(id)}`);
  return [
    "  layers",
    ...equal(same, 1),
    ...changed(style.red("-"), before),
    ...changed(style.green("+"), after),
    ...equal(last, before.length - last + 1, after.length - before.length),
  ];
}

function shortId(digest: string): string {
  return digest.replace(/^(sha256:.{12}).*$/, "$1");
}

function valueLine({ name, before, after }: ValueChange, style: Style): string {
  if (before === undefined) return `${style.green("+")} ${name}${quoted(after)}`;
  if (after === undefined) return `${style.red("-")} ${name}${quoted(before)}`;
  return `${style.yellow("~")} ${name}${quoted(before)} →${quoted(after)}`;
}

/** With a space before it. Members that only are there, as ports are, have no value to show. */
function quoted(value: string | undefined): string {
  if (value === "{}") return "";
  // Which builder wrote a line of the history is no difference that anybody looks for here.
  const text = JSON.stringify((value ?? "").replace(/ # buildkit$/, ""));
  return ` ${text.length > 120 ? `${text.slice(0, 119)}…` : text}`;
}

function fileLine({ path, kind, what }: FileChange, style: Style): string {
  const marks = { added: style.green("+"), removed: style.red("-"), changed: style.yellow("~") };
  const shown = JSON.stringify(`/${path}`).slice(1, -1);
  return `${marks[kind]} ${shown}${what.length > 0 ? `  ${style.dim(what.join(", "))}` : ""}`;
}

/** The differences for programs. */
export function diffJson(
  [before, after]: readonly [string, string],
  diffs: readonly PlatformDiff[],
): string {
  const document = { before, after, same: diffs.length === 0, platforms: diffs };
  return `${goJson(document, 2)}\n`;
}
