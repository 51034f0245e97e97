// Reading WWW-Authenticate headers (RFC 9110, 11.6.1): what a registry wants to see before it answers.

/** One way of proving who asks. Scheme and parameter names are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const maxHeaderLength = 16 * 1024;

/** All challenges of a header, in order; what cannot be read ends the list. One linear scan. */
export function parseChallenges(header: string): readonly Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)/y;
  const value = /\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/y;
  const text = header.slice(0, maxHeaderLength);
  for (let at = 0; at < text.length; ) {
    token.lastIndex = at;
    const name = token.exec(text)?.[1]?.toLowerCase();
    if (name === undefined) break;
    at = token.lastIndex;
    value.lastIndex = at;
    const match = value.exec(text);
    const last = found.at(-1);
    if (!match) {
      found.push({ scheme: name, parameters: {} });
      continue;
    }
    at = value.lastIndex;
    if (last) last.parameters[name] = match[1]?.replace(/\\(.)/g, "$1") ?? match[2] ?? "";
  }
  return found;
}

/** The challenge to answer: a token before a password; undefined where none is understood. */
export function chooseChallenge(header: string | undefined): Challenge | undefined {
  const challenges = parseChallenges(header ?? "");
  return (
    challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters["realm"]) ??
    challenges.find(({ scheme }) => scheme === "basic")
  );
}
