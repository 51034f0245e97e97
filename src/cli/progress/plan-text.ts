// A plan for people and as JSON: every stage and target, how its programs run, what is cached, what is missing.
import type { PlannedImage, PlannedStage, PlanReport, StageWay } from "../../api/index.ts";
import type { Style } from "../report/index.ts";
import { cleanText } from "./log-lines.ts";
import { cut, padTo, textWidth } from "./text-width.ts";

const headings = ["STAGE", "FOR", "RUNS ON", "HOW", "STEPS"] as const;
const gap = 2;
/** Columns are cut no narrower. */
const narrowest = 8;

/** Whether the build would fail for what the plan has found. */
export function planFails({ images, stages }: PlanReport): boolean {
  return (
    images.some(({ state }) => state === "missing") ||
    stages.some((stage) => stage.way === "impossible" && !isCached(stage))
  );
}

/** One JSON document, as the builder made it. */
export function planJson(plan: PlanReport): string {
  return `${JSON.stringify(plan, undefined, 2)}\n`;
}

/** The plan in at most `width` cells a line, except for messages. */
export function planLines(plan: PlanReport, style: Style, width: number): readonly string[] {
  return [
    `${style.bold("Plan")} for ${plan.targets.join(", ")}, on a ${plan.buildPlatform} machine`,
    "",
    ...stageLines(plan, style, width),
    ...imageLines(plan.images, style),
    "",
    ...closing(plan, style),
  ];
}

interface Row {
  readonly cells: readonly string[];
  readonly stage: PlannedStage | undefined;
}

/** In narrow windows platforms that share a stage get a line each, and emulators are named below the table. */
function stageLines(plan: PlanReport, style: Style, width: number): readonly string[] {
  const rowsOf = (narrow: boolean) =>
    plan.stages.flatMap((stage, at) => rowsOfStage(stage, plan, plan.stages[at - 1], narrow));
  const wide = rowsOf(false);
  const heading: Row = { cells: headings, stage: undefined };
  const narrow = wholeOf(cellWidths([heading, ...wide])) > width;
  const rows = narrow ? rowsOf(true) : wide;
  const widths = fitWidths(cellWidths([heading, ...rows]), width);
  const line = ({ cells, stage }: Row) =>
    cells
      .map((cell, at) => {
        const space = widths[at] ?? 0;
        const shown = cut(cell, space, "…");
        const filled = at === cells.length - 1 ? shown : padTo(shown, space + gap);
        return stage === undefined ? style.dim(filled) : paintCell(filled, at, stage, style);
      })
      .join("")
      .trimEnd();
  const emulators = new Set(narrow ? plan.stages.flatMap(({ emulator }) => emulator ?? []) : []);
  const named = emulators.size === 0 ? [] : ["", `Emulated by ${[...emulators].join(", ")}.`];
  return [...[heading, ...rows].map(line), ...named];
}

function rowsOfStage(
  stage: PlannedStage,
  plan: PlanReport,
  above: PlannedStage | undefined,
  narrow: boolean,
): readonly Row[] {
  const { targets, way, emulator } = stage;
  const name = cleanText(stage.name) || "(only stage)";
  const everywhere = targets.length > 1 && targets.length === plan.targets.length;
  const together = everywhere ? `all ${plan.targets.length}` : targets.join(", ");
  const [first = "", ...others] = narrow && !everywhere ? targets : [together];
  const cells = [
    above?.name === stage.name ? "" : name,
    first,
    way === "files" ? "-" : stage.platform,
    emulator === undefined || narrow ? way : `${way} (${emulator})`,
    countWords(stage),
  ];
  const more = others.map((target) => ({ cells: ["", target, "", "", ""], stage }));
  return [{ cells, stage }, ...more];
}

/** `3 cached`, `4 to run`, `1 cached, 3 to run`. */
function countWords({ steps }: PlannedStage): string {
  const cached = steps.filter((step) => step.cached).length;
  const words = [
    ...(cached > 0 ? [`${cached} cached`] : []),
    ...(cached < steps.length ? [`${steps.length - cached} to run`] : []),
  ];
  return words.join(", ");
}

function paintCell(cell: string, at: number, stage: PlannedStage, style: Style): string {
  if (at === 0) return style.bold(cell);
  if (at === 3) return colorOf(stage.way, style)(cell);
  return at === 4 && isCached(stage) ? style.dim(cell) : cell;
}

function colorOf(way: StageWay, style: Style): (text: string) => string {
  if (way === "impossible") return style.red;
  if (way === "emulated") return style.yellow;
  return way === "files" ? style.dim : style.green;
}

function isCached({ steps }: PlannedStage): boolean {
  return steps.every(({ cached }) => cached);
}

/** Of each column, its widest cell's. */
function cellWidths(rows: readonly Row[]): readonly number[] {
  return headings.map((_, at) => Math.max(...rows.map(({ cells }) => textWidth(cells[at] ?? ""))));
}

function wholeOf(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one + gap, -gap);
}

/** Where that is too much, the widest columns give way. */
function fitWidths(wanted: readonly number[], width: number): readonly number[] {
  const widths = [...wanted];
  while (wholeOf(widths) > width) {
    const widest = widths.indexOf(Math.max(...widths));
    const now = widths[widest] ?? 0;
    if (now <= narrowest) break;
    widths[widest] = now - 1;
  }
  return widths;
}

function imageLines(images: readonly PlannedImage[], style: Style): readonly string[] {
  if (images.length === 0) return [];
  const references = [...new Set(images.map(({ reference }) => reference))];
  const lines = references.flatMap((reference) => {
    const of = images.filter((image) => image.reference === reference);
    const good = of.filter(({ state }) => state === "offered").map(({ platform }) => platform);
    const name = cleanText(reference);
    return [
      ...(good.length > 0 ? [`${style.green("✔")} ${name}  ${style.dim(good.join(", "))}`] : []),
      ...of.filter(({ state }) => state !== "offered").map((image) => badImage(image, name, style)),
    ];
  });
  return ["", style.dim("IMAGES"), ...lines];
}

function badImage(
  { state, platform, offered, nearest }: PlannedImage,
  name: string,
  style: Style,
): string {
  if (state === "other")
    return `${style.yellow("!")} ${name}  is a single image for ${offered}, not for ${platform}`;
  const instead = nearest === undefined ? "" : `; nearest: ${nearest}`;
  return `${style.red("✖")} ${name}  has no ${platform}${instead} (it has ${offered ?? "none"})`;
}

function closing(plan: PlanReport, style: Style): readonly string[] {
  const unique = new Map(
    plan.stages.flatMap((stage) => stage.steps.map((step) => [step.step, step])),
  );
  const steps = [...unique.values()];
  const toRun = steps.filter(({ cached }) => !cached).length;
  const emulated = plan.stages
    .filter(({ way }) => way === "emulated")
    .flatMap((stage) => stage.steps.filter(({ cached, kind }) => !cached && kind === "exec"));
  const lines = [
    toRun === 0
      ? `All ${steps.length} steps are cached.`
      : `${toRun} of ${steps.length} steps to run${emulated.length > 0 ? `, ${emulated.length} of them emulated` : ""}.`,
  ];
  if (emulated.length > 0) {
    lines.push(
      style.dim("FROM --platform=$BUILDPLATFORM makes a stage run natively, for every target."),
    );
  }
  const problems = new Map(
    plan.stages.flatMap(({ problem }) => (problem ? [[problem.message, problem.hint]] : [])),
  );
  for (const [message, hint] of problems) {
    lines.push(`${style.red("✖")} ${message}`);
    if (hint !== undefined) lines.push(`  ${hint}`);
  }
  return lines;
}
