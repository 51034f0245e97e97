// A build as one HTML page that needs no network: what it was, how it went step by step, its log.
import type { BuildDetails } from "./details.ts";
import { detailsText } from "./inspect-text.ts";
import type { Span } from "./spans.ts";

/** One trace of a page; a second one is shown below the first, on the same scale. */
export interface PageTrace {
  readonly title: string;
  readonly spans: readonly Span[];
}

export interface Page {
  readonly title: string;
  readonly details?: BuildDetails;
  readonly traces: readonly PageTrace[];
  /** What the build said, as plain text. */
  readonly log?: string;
}

const plain = (text: string) => text;
const noStyle = new Proxy({}, { get: () => plain }) as Parameters<typeof detailsText>[2];

const style = `
:root{color-scheme:light dark;font:14px/1.5 system-ui,sans-serif}
body{margin:2rem auto;max-width:75rem;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
pre{background:#8881;padding:1rem;overflow:auto;font:12px/1.45 ui-monospace,monospace}
.row{display:grid;grid-template-columns:26rem 1fr 5rem;gap:.5rem;align-items:center;border-bottom:1px solid #8882}
.name{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.lane{position:relative;height:1rem}
.bar{position:absolute;top:.15rem;bottom:.15rem;min-width:2px;background:#3b82f6;border-radius:2px}
.bar.cached{background:#9ca3af}.bar.failed{background:#dc2626}
.time{text-align:right;font-variant-numeric:tabular-nums}
.error{color:#dc2626;white-space:pre-wrap}`;

/** The whole page. All that comes from builds is escaped. */
export function historyPage({ title, details, traces, log }: Page): string {
  const widest = Math.max(1, ...traces.map(({ spans }) => lengthOf(spans)));
  const parts = [
    `<h1>${escaped(title)}</h1>`,
    ...(details ? [`<pre>${escaped(detailsText(details, false, noStyle))}</pre>`] : []),
    ...traces.map((trace) => traceSection(trace, widest)),
    ...(log === undefined ? [] : [`<h2>Log</h2><pre>${escaped(log)}</pre>`]),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title><style>${style}</style></head>
<body>${parts.join("\n")}</body></html>
`;
}

/** Text between tags and in quoted attributes. */
function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (char) => names[char] ?? char);
}

function beginOf(spans: readonly Span[]): number {
  return spans.reduce((least, { start }) => Math.min(least, start), Number.POSITIVE_INFINITY);
}

function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((most, { end }) => Math.max(most, end), 0) - beginOf(spans);
}

function traceSection({ title, spans }: PageTrace, scale: number): string {
  const begin = beginOf(spans);
  const rows = depths(spans).map(({ span, depth }) => {
    const left = ((span.start - begin) / scale) * 100;
    const width = ((span.end - span.start) / scale) * 100;
    const kind = span.error !== undefined ? " failed" : span.attributes["cached"] ? " cached" : "";
    const note = span.error ? `<div class="error">${escaped(span.error)}</div>` : "";
    return `<div class="row"><div class="name" style="padding-left:${Math.min(depth, 20)}rem" title="${escaped(span.name)}">${escaped(span.name)}${note}</div><div class="lane"><div class="bar${kind}" style="left:${left.toFixed(3)}%;width:${width.toFixed(3)}%"></div></div><div class="time">${((span.end - span.start) / 1000).toFixed(2)}s</div></div>`;
  });
  return `<h2>${escaped(title)}</h2>\n${rows.join("\n")}`;
}

/** Children behind their parents, in order of their start. */
function depths(
  spans: readonly Span[],
): readonly { readonly span: Span; readonly depth: number }[] {
  const known = new Set(spans.map(({ id }) => id));
  const children = new Map<string | undefined, Span[]>();
  for (const span of spans) {
    const parent = span.parent !== undefined && known.has(span.parent) ? span.parent : undefined;
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  const seen = new Set<string>();
  const rows: { readonly span: Span; readonly depth: number }[] = [];
  const waiting = sorted(children.get(undefined) ?? []).map((span) => ({ span, depth: 0 }));
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { span, depth } = next;
    if (seen.has(span.id)) continue;
    seen.add(span.id);
    rows.push(next);
    const own = sorted(children.get(span.id) ?? []);
    waiting.unshift(...own.map((one) => ({ span: one, depth: depth + 1 })));
  }
  return rows;
}

function sorted(spans: readonly Span[]): readonly Span[] {
  return spans.toSorted((a, b) => a.start - b.start);
}
