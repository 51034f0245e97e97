// What we are doing, for those who debug Kiln: silent unless KILN_DEBUG names the scope.

/** A scoped debug log. Arguments are only formatted when the scope is on. */
export interface DebugLog {
  debug(message: string, details?: Readonly<Record<string, unknown>>): void;
}

const scopes = new Set((process.env["KILN_DEBUG"] ?? "").split(",").filter(Boolean));

/** The log of one scope. `KILN_DEBUG=registry,solver` turns two scopes on, `KILN_DEBUG=*` all; lines go to stderr. */
export function log(scope: string): DebugLog {
  if (!scopes.has(scope) && !scopes.has("*")) return { debug() {} };
  return {
    debug(message, details) {
      const tail = details === undefined ? "" : ` ${JSON.stringify(details)}`;
      process.stderr.write(`${new Date().toISOString()} ${scope}: ${message}${tail}\n`);
    },
  };
}
