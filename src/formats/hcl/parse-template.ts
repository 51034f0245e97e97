// Strings with `${…}` and `%{…}` in them, quoted or as heredocs (HCL spec, Templates).
import type { Expression } from "./ast.ts";
import type { ExpressionParser } from "./parse-expression.ts";
import type { Token } from "./scanner.ts";
import { mistakeAt } from "./source.ts";
import { joined } from "./template-directives.ts";
import { TemplateReader } from "./template-parts.ts";

/** All of what the parser's scanner goes through, as one template. */
export function parseWhole(parser: ExpressionParser): Expression {
  const { scanner } = parser;
  const form = { quoted: false, end: scanner.end, indent: 0 };
  const parts = new TemplateReader(parser, form).read();
  return joined(parts, scanner.range(0, scanner.end));
}

/** A quoted string; `open` is its first quote, behind which the scanner stands. */
export function parseQuoted(parser: ExpressionParser, open: Token): Expression {
  const { scanner } = parser;
  const reader = new TemplateReader(parser, { quoted: true, end: scanner.end, indent: 0 });
  const parts = reader.read();
  return joined(parts, scanner.range(open.range.start));
}

/** `<<NAME` or `<<-NAME`, whose line the scanner has just left. */
export function parseHeredoc(parser: ExpressionParser, head: Token): Expression {
  const { scanner } = parser;
  const [, flush = "", name = ""] = /^<<(-?)(.*?)\r?\n$/s.exec(head.text) ?? [];
  const { text } = scanner.source;
  const start = scanner.at;
  let line = start;
  for (;;) {
    if (line >= scanner.end) {
      throw mistakeAt(
        head.range,
        "Unterminated template string",
        `No closing marker was found for the string: ${name} must stand alone on a line.`,
      );
    }
    const next = text.indexOf("\n", line);
    const end = next === -1 ? scanner.end : next;
    if (text.slice(line, end).trim() === name) {
      const indent = flush === "" ? 0 : commonIndent(text.slice(start, line));
      const reader = new TemplateReader(parser, { quoted: false, end: line, indent });
      const parts = reader.read();
      scanner.at = end;
      return joined(parts, scanner.range(head.range.start));
    }
    line = end + 1;
  }
}

/** Blanks that all lines with anything in them begin with. */
function commonIndent(text: string): number {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const indents = lines.map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0);
  return indents.length === 0 ? 0 : Math.min(...indents);
}
