// Text in terminal cells: wide characters fill two, marks none.
import stringWidth from "string-width";

// Plain ASCII is the common case and needs no tables.
const ascii = /^[\u0020-\u007e]*$/;

/** Cells that `text` fills; colour sequences fill none. */
export function textWidth(text: string): number {
  return ascii.test(text) ? text.length : stringWidth(text);
}

/** `text` in at most `width` cells, its end replaced by `ellipsis` (one cell) where it is longer. For text without colour. */
export function cut(text: string, width: number, ellipsis: string): string {
  if (width <= 0) return "";
  if (textWidth(text) <= width) return text;
  if (ascii.test(text)) return text.slice(0, width - 1) + ellipsis;
  let out = "";
  let filled = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const cells = stringWidth(segment);
    if (filled + cells > width - 1) break;
    out += segment;
    filled += cells;
  }
  return out + ellipsis;
}

/** `text` followed by blanks up to `width` cells. */
export function padTo(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}
