// Who an in-toto statement is about, as the statement lists it.
import type { AttestationSubject } from "../../api/index.ts";

export interface StatementSubject {
  readonly name: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** `own` is what stands for the result itself, which is also meant where nothing is named. */
export function statementSubjects(
  subjects: readonly AttestationSubject[],
  own: readonly StatementSubject[],
): readonly StatementSubject[] {
  if (subjects.length === 0) return own;
  return subjects.flatMap(({ kind, name, digests }) => {
    if (kind === "raw") return [{ name: name || "_", digest: digestsByAlgorithm(digests) }];
    // The result has this name besides its own.
    return own.flatMap((one) => (name === "" ? [one] : [one, { ...one, name }]));
  });
}

function digestsByAlgorithm(digests: readonly string[]): Readonly<Record<string, string>> {
  const pairs = digests.map((digest) => {
    const [algorithm = "", hex = ""] = digest.split(":", 2);
    return [algorithm, hex] as const;
  });
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}
