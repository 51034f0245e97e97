// The doctor's findings as people read them.
import { type Finding, type FindingGroup, findingGroups } from "../../../engine/doctor/index.ts";
import type { Style } from "../../report/index.ts";

const headings: Readonly<Record<FindingGroup, string>> = {
  machine: "Machine",
  isolation: "Keeping builds apart",
  emulation: "Other processors",
  limits: "Limits",
  storage: "Storage",
  network: "Network",
  tools: "Tools and credentials",
};

/** Cells before the text of a finding: mark and title. */
const titleWidth = 24;

/** Findings by group, in at most `width` cells a line where words allow it. */
export function findingLines(
  findings: readonly Finding[],
  style: Style,
  width: number,
): readonly string[] {
  const lines = findingGroups.flatMap((group) => {
    const own = findings.filter((finding) => finding.group === group);
    if (own.length === 0) return [];
    return ["", style.bold(headings[group]), ...own.flatMap((one) => linesOf(one, style, width))];
  });
  return [...lines.slice(1), "", verdict(findings, style)];
}

function linesOf(finding: Finding, style: Style, width: number): readonly string[] {
  const { title, found, consequence, fix, advice } = finding;
  const room = Math.max(20, width - titleWidth);
  const text = [
    ...wrap(found, room),
    ...(consequence === undefined ? [] : wrap(consequence, room).map((line) => style.dim(line))),
    ...(fix === undefined
      ? []
      : fix.commands.map((command) => `${style.cyan(fix.root ? "#" : "$")} ${command}`)),
    ...(advice === undefined ? [] : wrap(advice, room).map((line) => style.cyan(line))),
  ];
  return text.map((line, at) =>
    at === 0
      ? `${mark(finding, style)} ${title.padEnd(titleWidth - 2)}${line}`
      : `${" ".repeat(titleWidth)}${line}`,
  );
}

function mark({ status }: Finding, style: Style): string {
  if (status === "ok") return style.green("✔");
  if (status === "info") return style.dim("·");
  return status === "warning" ? style.yellow("!") : style.red("✖");
}

function verdict(findings: readonly Finding[], style: Style): string {
  const count = (status: Finding["status"]) =>
    findings.filter((finding) => finding.status === status).length;
  const [missing, warnings] = [count("missing"), count("warning")];
  const of = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
  if (missing > 0) {
    const more = warnings > 0 ? `, and ${of(warnings, "warning")}` : "";
    return style.red(
      `${of(missing, "thing")} that builds need ${missing === 1 ? "is" : "are"} missing${more}.`,
    );
  }
  if (warnings > 0) return style.yellow(`Builds work here, with ${of(warnings, "warning")}.`);
  return style.green("Builds work here.");
}

/** Lines of at most `width` cells, broken at blanks; longer words stay whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
