// The warnings at the end of a build as docker buildx prints them.
import type { Warning } from "../../../api/index.ts";
import { warningTitle } from "../../progress/index.ts";
import { sourceText } from "../buildctl/source-excerpt.ts";
import type { RunWorld } from "../command.ts";

/** Lines without their ends; each warning at length where debugging is on. None where there are no warnings. */
export function buildxWarningLines(
  warnings: readonly Warning[],
  { globals: { debug }, stderr: { style } }: Pick<RunWorld, "globals" | "stderr">,
): string[] {
  if (warnings.length === 0) return [];
  const count = `${warnings.length} warning${warnings.length === 1 ? "" : "s"} found`;
  const more = debug ? "" : " (use docker --debug to expand)";
  return [
    "",
    ` ${style.yellow(`${count}${more}:`)}`,
    ...warnings.flatMap((warning) => [
      ` - ${warningTitle(warning)}`,
      ...(debug ? [...atLength(warning), ""] : []),
    ]),
  ];
}

function atLength({ detail = [], url, at }: Warning): string[] {
  const excerpt =
    at?.text === undefined
      ? []
      : sourceText({
          file: at.file,
          text: at.text,
          ranges: [{ start: at.line, end: at.endLine ?? at.line }],
        })
          .trimEnd()
          .split("\n");
  return [...detail, ...(url === undefined ? [] : [`More info: ${url}`]), ...excerpt];
}
