// Variables that words are expanded with.

/** What words are expanded with. */
export interface Variables {
  get(name: string): string | undefined;
  /** In the order in which they were last set. */
  keys(): Iterable<string>;
}

/** Arguments of the file as a whole, which are few. */
export type ArgValues = ReadonlyMap<string, string>;

/** `NAME=value` into its parts; without "=", the value is empty. */
export function splitVariable(text: string): readonly [name: string, value: string] {
  const sign = text.indexOf("=");
  return sign === -1 ? [text, ""] : [text.slice(0, sign), text.slice(sign + 1)];
}

/** The variables with one set; one that is set again moves to the end. */
export function setVariable(variables: ArgValues, name: string, value: string): ArgValues {
  const next = new Map(variables);
  next.delete(name);
  return next.set(name, value);
}

/** A configuration's `Env` with one variable set, in its old place where there is one. */
export function setImageVariable(
  env: readonly string[],
  name: string,
  value: string,
): readonly string[] {
  const start = `${name}=`;
  const at = env.findIndex((entry) => entry === name || entry.startsWith(start));
  return at === -1 ? [...env, `${name}=${value}`] : env.with(at, `${name}=${value}`);
}
