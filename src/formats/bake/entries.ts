// Composable attributes: `type=local,dest=out`, or the same as an object.
import { cutPair, KilnError, parseBool, readCsv } from "../../base/index.ts";
import { compareText } from "../hcl/index.ts";
import type { Entry, EntryKind } from "./target.ts";

/** Members as they came: texts, and lists for the paths of an agent. */
export type Members = Readonly<Record<string, string | readonly string[]>>;

/** Reads the text of one entry, which may be several images for caches. Throws `BAKE_INVALID`. */
export function parseEntry(kind: EntryKind, text: string): readonly Entry[] {
  switch (kind) {
    case "ssh":
      return [sshEntry(text)];
    case "cache":
      if (!text.includes("=")) {
        return fieldsOf(text).map((ref) => ({ ref, type: "registry" }));
      }
      return [entryOf(kind, pairsOf(text, "invalid value", lower))];
    case "output":
      return [outputEntry(text)];
    case "attest":
      return [
        entryOf(
          kind,
          pairsOf(text, "invalid value", (key) => key.trim()),
        ),
      ];
    case "secret":
      return [entryOf(kind, pairsOf(text, "invalid field", lower))];
  }
}

/** An entry of its members. Throws `BAKE_INVALID` for what it cannot have. */
export function entryOf(kind: EntryKind, members: Members): Entry {
  switch (kind) {
    case "ssh": {
      const { id = "", paths = [] } = members;
      const list = typeof paths === "string" ? [paths] : paths;
      return { id: String(id), ...(list.length > 0 ? { paths: list } : {}) };
    }
    case "secret":
      return secretEntry(members);
    case "attest":
      return sorted(withoutDisabled(members));
    default:
      if (!members["type"])
        throw new KilnError(
          "BAKE_INVALID",
          kind === "output" ? "type is required for output" : 'type required form> "type"',
        );
      return sorted(members);
  }
}

function lower(key: string): string {
  return key.toLowerCase();
}

function fieldsOf(text: string): string[] {
  try {
    return readCsv(text);
  } catch (error) {
    throw new KilnError("BAKE_INVALID", error instanceof Error ? error.message : String(error));
  }
}

function pairsOf(
  text: string,
  words: string,
  spell: (key: string) => string,
): Readonly<Record<string, string>> {
  const pairs = fieldsOf(text).map((field) => {
    const pair = cutPair(field);
    if (pair) return [spell(pair[0]), pair[1]] as const;
    throw new KilnError(
      "BAKE_INVALID",
      words === "invalid field"
        ? `invalid field '${field}' must be a key=value pair`
        : `${words} ${field}`,
    );
  });
  return Object.fromEntries(pairs);
}

function outputEntry(text: string): Entry {
  const fields = fieldsOf(text);
  if (fields.length === 1 && fields[0] === text && !text.startsWith("type=")) {
    return text === "-" ? { dest: "-", type: "tar" } : { dest: text, type: "local" };
  }
  const members = pairsOf(text, "invalid value", (key) => key.trim().toLowerCase());
  return entryOf("output", members);
}

function sshEntry(text: string): Entry {
  const pair = cutPair(text);
  return pair ? { id: pair[0], paths: pair[1].split(",") } : { id: text };
}

function secretEntry(members: Members): Entry {
  const { type, id = "", source, src = source, env, ...others } = members;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new KilnError(
      "BAKE_INVALID",
      `unexpected key '${unknown}' in '${unknown}=${String(others[unknown])}'`,
    );
  if (type !== undefined && type !== "" && type !== "file" && type !== "env")
    throw new KilnError("BAKE_INVALID", `unsupported secret type ${JSON.stringify(type)}`);
  // With type=env, `src` names the variable.
  const named = type === "env" && !env ? src : env;
  const file = type === "env" && !env ? undefined : src;
  return {
    id,
    ...(file ? { src: file } : {}),
    ...(named ? { env: named } : {}),
  };
}

function withoutDisabled(members: Members): Entry {
  if (!members["type"]) throw new KilnError("BAKE_INVALID", "attestation type not specified");
  const { disabled, ...rest } = members;
  if (disabled === undefined) return members;
  const off = parseBool(String(disabled));
  if (off === undefined)
    throw new KilnError("BAKE_INVALID", `invalid value disabled=${String(disabled)}`);
  return off ? { ...rest, disabled: true } : rest;
}

function sorted(members: Entry): Entry {
  return Object.fromEntries(Object.entries(members).sort(([a], [b]) => compareText(a, b)));
}

/** An entry in the form that flags of `build` take. */
export function entryText(kind: EntryKind, entry: Entry): string {
  if (kind === "ssh") {
    const { id = "", paths } = entry;
    return Array.isArray(paths) ? `${String(id)}=${paths.join(",")}` : String(id);
  }
  return Object.entries(entry)
    .map(([key, value]) => csvField(`${key}=${String(value)}`))
    .join(",");
}

function csvField(field: string): string {
  return /[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
