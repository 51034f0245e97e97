// The name that a downloaded file gets: as asked, else as the server says, else the last part of the URL.

const nameless = "download";

/** Never a path, and never empty. `disposition` is the answer's Content-Disposition. */
export function downloadName(url: URL, wanted: string, disposition: string | undefined): string {
  if (wanted !== "") return safeName(wanted);
  const offered = disposition === undefined ? "" : offeredName(disposition);
  if (offered !== "" && !offered.endsWith("/")) return safeName(offered);
  return safeName(decoded(url.pathname) ?? url.pathname);
}

/** The last part of what somebody named; never a path, and never empty. */
export function safeName(name: string): string {
  const base = name.trim().replace(/\/+$/, "").split("/").at(-1) ?? "";
  if (base === "" || base === "." || base === ".." || base.includes("\0")) return nameless;
  return new TextEncoder().encode(base).length > longestName ? nameless : base;
}

/** Linux's NAME_MAX, in bytes. */
const longestName = 255;

/** The `filename` of a Content-Disposition (RFC 6266), its extended form first; empty where there is none. */
function offeredName(disposition: string): string {
  const extended = /;\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(disposition)?.[1];
  const name = extended === undefined ? undefined : decoded(extended);
  if (name !== undefined) return name;
  const [, quoted, plain] =
    /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^";\s]+))/i.exec(disposition) ?? [];
  return quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "";
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
