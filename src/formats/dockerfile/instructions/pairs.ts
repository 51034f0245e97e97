// The key-value pairs of ENV and LABEL.
import {
  type ExpandWord,
  type KeyValue,
  Mistake,
  type Request,
  requireArguments,
} from "./instruction.ts";

/** Reads the parser's triples: key, value, and "=" or "" for the legacy form. */
export function readPairs(request: Request): readonly KeyValue[] {
  requireArguments(request);
  const pairs: KeyValue[] = [];
  for (let at = 0; at + 2 < request.args.length; at += 3) {
    const { [at]: key = "", [at + 1]: value = "", [at + 2]: sign } = request.args;
    if (key === "") {
      throw new Mistake(`${request.node.keyword.toUpperCase()} names can not be blank`, {
        word: `=${value}`,
      });
    }
    pairs.push({ key, value, legacy: sign === "" });
  }
  return pairs;
}

/** With variables replaced in keys and values. */
export function expandPairs(pairs: readonly KeyValue[], expand: ExpandWord): readonly KeyValue[] {
  return pairs.map((pair) => {
    const key = expand(pair.key);
    return { key, value: expand(pair.value), legacy: pair.legacy };
  });
}
