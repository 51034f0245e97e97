// One comma-separated line, as flags of RUN hold it (RFC 4180).

/** The fields of `line`, or undefined when quotes are out of place. Empty text has no fields. */
export function csvFields(line: string): readonly string[] | undefined {
  if (line === "") return [];
  if (!line.includes('"')) return line.split(",");
  const fields: string[] = [];
  let at = 0;
  while (true) {
    const field = line[at] === '"' ? quotedField(line, at) : plainField(line, at);
    if (!field) return undefined;
    fields.push(field.value);
    if (field.end >= line.length) return fields;
    at = field.end + 1;
  }
}

function plainField(line: string, at: number): { value: string; end: number } | undefined {
  const comma = line.indexOf(",", at);
  const end = comma === -1 ? line.length : comma;
  const value = line.slice(at, end);
  return value.includes('"') ? undefined : { value, end };
}

function quotedField(line: string, at: number): { value: string; end: number } | undefined {
  let value = "";
  for (let from = at + 1; ; ) {
    const quote = line.indexOf('"', from);
    if (quote === -1) return undefined;
    value += line.slice(from, quote);
    const next = line[quote + 1];
    if (next === undefined || next === ",") return { value, end: quote + 1 };
    if (next !== '"') return undefined;
    value += '"';
    from = quote + 2;
  }
}
