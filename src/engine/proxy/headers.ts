// Headers that are passed on, and those that only concern the two ends of one connection (RFC 9110, 7.6.1).

const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Without names in `drop` (lower case), and what `connection` names; repeated ones as lists, in order. */
export function passedOn(
  raw: readonly string[],
  drop: ReadonlySet<string> = new Set(),
): Record<string, string | string[]> {
  const pairs: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? "", raw[at + 1] ?? ""]);
  const named = pairs
    .filter(([name]) => name.toLowerCase() === "connection")
    .flatMap(([, value]) => value.toLowerCase().split(","))
    .map((name) => name.trim());
  const all = new Map<string, { readonly name: string; readonly values: string[] }>();
  for (const [name, value] of pairs) {
    const key = name.toLowerCase();
    if (hopByHop.has(key) || drop.has(key) || named.includes(key)) continue;
    const known = all.get(key);
    if (known) known.values.push(value);
    else all.set(key, { name, values: [value] });
  }
  return Object.fromEntries(
    Array.from(all.values(), ({ name, values: [first = "", ...rest] }) => [
      name,
      rest.length === 0 ? first : [first, ...rest],
    ]),
  );
}
