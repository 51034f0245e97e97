// Paths as text, as Go's path functions shorten them.

/** The shortest equal path (filepath.Clean): no empty, `.` or inner `..` components; "." for the empty path. */
export function cleanPath(path: string): string {
  if (isClean(path)) return path;
  const rooted = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!rooted) parts.push(part);
  }
  return (rooted ? "/" : "") + parts.join("/") || ".";
}

/** What stands before the last slash, cleaned (filepath.Dir). */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash <= 0) return slash === -1 ? "." : "/";
  return cleanPath(path.slice(0, slash));
}

/** True for the common case; other paths may be clean too. */
function isClean(path: string): boolean {
  return (
    path !== "" &&
    !path.endsWith("/") &&
    !path.includes("//") &&
    !path.startsWith("./") &&
    !path.includes("/.")
  );
}
