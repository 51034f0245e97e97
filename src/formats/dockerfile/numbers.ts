// Numbers and truth values as Go's strconv and docker's go-units read them.

/** 1, t, T, true, TRUE, True and their opposites; undefined for anything else. */
export function parseBool(text: string): boolean | undefined {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  return undefined;
}

/** A number without sign that fits 32 bits; undefined for anything else. */
export function parseUint32(text: string, base: 8 | 10): number | undefined {
  if (!(base === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(text)) return undefined;
  const value = Number.parseInt(text, base);
  return value <= 0xffffffff ? value : undefined;
}

const powers: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Bytes of `64`, `1.5g`, `10 MiB`, in powers of 1024 (go-units RAMInBytes); undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\+?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)) ?([A-Za-z]{0,3})$/.exec(text);
  if (!match) return undefined;
  const value = Number(match[1]);
  const unit = (match[2] ?? "").toLowerCase();
  if (unit === "" || unit === "b") return Math.trunc(value);
  const power = powers[unit[0] ?? ""];
  if (power === undefined || !["", "b", "ib"].includes(unit.slice(1))) return undefined;
  return Math.trunc(value * 1024 ** power);
}
