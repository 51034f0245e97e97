// What was probably meant, by HCL's own measure.

/** The name that is fewest changes away, of those less than three away. */
export function suggestion(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = 3;
  for (const one of known) {
    const changes = Math.abs(one.length - name.length) < fewest ? distance(name, one) : fewest;
    if (changes < fewest) [best, fewest] = [one, changes];
  }
  return best;
}

/** Levenshtein's: characters that are put in, taken out, or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
