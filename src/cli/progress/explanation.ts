// Why steps were not cached, for people and as JSON.
import type { Explanation, FileChange, FileFacts, MissReason } from "../../api/index.ts";
import type { Style } from "../report/index.ts";
import { cleanText } from "./log-lines.ts";

/** Files that are told one by one; the JSON has more. */
const shownFiles = 10;

/** Of a long value, what is shown. */
const shownValue = 300;

/** One block for each step that ran, or a word that there is none. */
export function explanationLines(explanations: readonly Explanation[], style: Style): string[] {
  const [first] = explanations;
  if (!first) return ["", "Every step was cached."];
  const compared = first.comparedWith
    ? `, compared with the build of ${first.comparedWith.toISOString()}`
    : "";
  const several = new Set(explanations.map(({ platform }) => platform)).size > 1;
  return [
    "",
    `${style.bold("Why steps ran")}${style.dim(compared)}:`,
    ...explanations.flatMap((one) => [
      `${style.cyan(titleOf(one, several))}`,
      ...one.reasons.flatMap((reason) => reasonLines(reason).map((line) => `    ${line}`)),
    ]),
  ];
}

/** The same as one JSON document: `{"steps":[…]}`, with every change of a file that is known. */
export function explanationJson(explanations: readonly Explanation[]): string {
  return `${JSON.stringify({ steps: explanations }, undefined, 2)}\n`;
}

/** Names of single-platform builds do not say the platform; neither do those of steps that are shared. */
function titleOf({ name, platform }: Explanation, several: boolean): string {
  const title = cleanText(name);
  return several && platform !== undefined && !title.includes(platform)
    ? `${title} (${platform})`
    : title;
}

function reasonLines(reason: MissReason): string[] {
  switch (reason.kind) {
    case "new":
      return ["nothing is known of this step from an earlier build"];
    case "no-cache":
      return ["it was to run without the cache (--no-cache, --no-cache-filter)"];
    case "pruned":
      return ["it ran before in the same way, but its result has been removed from the cache"];
    case "failed":
      return ["it ran before in the same way, but did not succeed"];
    case "definition":
      return definitionLines(reason);
    case "image":
      return [imageLine(reason.old, reason.new)];
    case "source":
      return [
        reason.old === reason.new
          ? `${cleanText(reason.new)} has other contents than before`
          : `source: ${cleanText(reason.old)} → ${cleanText(reason.new)}`,
      ];
    case "files":
      return filesLines(reason);
    case "step":
      return [`an earlier step ran: ${cleanText(reason.name)}`];
  }
}

function definitionLines({
  field,
  old,
  new: now,
}: Extract<MissReason, { kind: "definition" }>): string[] {
  if (old === undefined && now === undefined) return [`its ${field} changed`];
  if (old === undefined) return [`its ${field} is new: ${valueText(now)}`];
  if (now === undefined) return [`its ${field} is gone: ${valueText(old)}`];
  return [`its ${field} changed:`, `  old: ${valueText(old)}`, `  new: ${valueText(now)}`];
}

function valueText(value = ""): string {
  const text = cleanText(value.replaceAll("\n", "⏎"));
  return text.length > shownValue ? `${text.slice(0, shownValue)}…` : text;
}

/** The same name with another digest, or another image. */
function imageLine(old: string, now: string): string {
  const split = (reference: string) => {
    const at = reference.indexOf("@");
    return at === -1 ? [reference, ""] : [reference.slice(0, at), reference.slice(at + 1)];
  };
  const [oldName = "", oldDigest = ""] = split(old);
  const [name = "", digest = ""] = split(now);
  return oldName === name
    ? `base image ${cleanText(name)} changed: ${shortDigest(oldDigest)} → ${shortDigest(digest)}`
    : `base image changed: ${cleanText(old)} → ${cleanText(now)}`;
}

function shortDigest(digest: string): string {
  return digest.slice(0, "sha256:".length + 12);
}

function filesLines({
  from,
  changes,
  more = 0,
  compared,
}: Extract<MissReason, { kind: "files" }>): string[] {
  const name = cleanText(from);
  if (!changes) return [`files of ${name} changed (which ones, has been forgotten)`];
  const note =
    compared === undefined ? [] : [`  (only its first ${grouped(compared)} are compared)`];
  if (changes.length === 0) return [`files of ${name} changed`, ...note];
  const shown = changes.slice(0, shownFiles).map((change) => `  ${fileText(change)}`);
  const left = changes.length + more - shown.length;
  return [
    `files of ${name} changed:`,
    ...shown,
    ...(left > 0 ? [`  … and ${grouped(left)} more`] : []),
    ...note,
  ];
}

/** 12,345. */
function grouped(count: number): string {
  return String(count).replace(/(?<=\d)(?=(\d{3})+$)/g, ",");
}

function fileText({ path, old, new: now }: FileChange): string {
  const name = cleanText(path);
  if (!old) return `${name} was added${now?.content ? ` (${now.content})` : ""}`;
  if (!now) return `${name} was removed`;
  const parts = [
    differs("", old.type, now.type),
    differs("mode ", old.mode ?? "-", now.mode ?? "-"),
    differs("owner ", ownerOf(old), ownerOf(now)),
    differs(
      now.type === "symlink" ? "target " : "content ",
      old.content ?? "-",
      now.content ?? "-",
    ),
  ];
  return `${name}: ${parts.filter((part) => part !== "").join(", ")}`;
}

function differs(what: string, old: string, now: string): string {
  return old === now ? "" : `${what}${cleanText(old)} → ${cleanText(now)}`;
}

function ownerOf({ uid, gid }: FileFacts): string {
  return `${uid}:${gid}`;
}
