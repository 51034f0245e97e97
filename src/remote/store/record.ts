// Builders as buildx writes them down: one JSON document each, with Go's member names.
import { Buffer } from "node:buffer";
import { goJson, isRecord, KilnError, parseJson, sortedRecord } from "../../base/index.ts";
import { type Platform, parsePlatformJson, platformJson } from "../../formats/oci/index.ts";

/** One machine, or one daemon, of a builder. */
export interface NodeRecord {
  readonly name: string;
  /** A docker context, a docker endpoint, or the URL of a daemon, as the driver has it. */
  readonly endpoint: string;
  /** Platforms that the user pinned to this node; empty leaves it to the node. */
  readonly platforms: readonly Platform[];
  readonly driverOpts: Readonly<Record<string, string>>;
  /** The daemon's flags. */
  readonly flags: readonly string[];
  /** Files for the daemon's configuration directory, by relative path. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** One builder: nodes that one driver runs. */
export interface BuilderRecord {
  readonly name: string;
  readonly driver: string;
  readonly nodes: readonly NodeRecord[];
  /** Nodes come and go with the cluster (kubernetes). */
  readonly dynamic: boolean;
}

/** A configuration with its certificates is small; a document beyond this is none of buildx's. */
const maxRecordSize = 8 * 1024 * 1024;
const maxNodes = 1000;

/** The document of a builder. Empty lists are `null`, as Go writes them. */
export function recordText(record: BuilderRecord): string {
  return goJson({
    Name: record.name,
    Driver: record.driver,
    Nodes: record.nodes.map(nodeDocument),
    Dynamic: record.dynamic,
  });
}

function nodeDocument(node: NodeRecord): unknown {
  const { platforms, driverOpts, flags, files } = node;
  return {
    Name: node.name,
    Endpoint: node.endpoint,
    Platforms: platforms.length > 0 ? platforms.map(platformJson) : null,
    DriverOpts: Object.keys(driverOpts).length > 0 ? sortedRecord(driverOpts) : null,
    Flags: flags.length > 0 ? flags : null,
    Files: Object.keys(files).length > 0 ? encodeFiles(files) : null,
  };
}

function encodeFiles(files: Readonly<Record<string, Uint8Array>>): Record<string, string> {
  const encoded = Object.entries(files).map(([name, data]) => [
    name,
    Buffer.from(data).toString("base64"),
  ]);
  return sortedRecord(Object.fromEntries(encoded));
}

/** Reads the document of the builder in `file`. Throws `CONFIG_INVALID`. */
export function parseRecord(text: string, file: string): BuilderRecord {
  try {
    if (text.length > maxRecordSize) throw wrong(`is larger than ${maxRecordSize} bytes`);
    const document = parseJson(text, file);
    if (!isRecord(document)) throw wrong("is not a JSON object");
    const nodes = document["Nodes"] ?? [];
    if (!Array.isArray(nodes)) throw wrong("has Nodes that are no list");
    if (nodes.length > maxNodes) throw wrong(`has more than ${maxNodes} nodes`);
    return {
      name: textOf(document, "Name"),
      driver: textOf(document, "Driver"),
      nodes: nodes.map((node, at) => parseNode(node, `Nodes[${at}]`)),
      dynamic: document["Dynamic"] === true,
    };
  } catch (cause) {
    throw new KilnError("CONFIG_INVALID", `the builder in ${file} cannot be read`, {
      cause,
      hint: "Remove the file, or create the builder again.",
    });
  }
}

function parseNode(value: unknown, what: string): NodeRecord {
  if (!isRecord(value)) throw wrong(`has a ${what} that is no object`);
  const platforms = value["Platforms"] ?? [];
  const flags = value["Flags"] ?? [];
  if (!Array.isArray(platforms)) throw wrong(`has ${what}.Platforms that are no list`);
  if (!Array.isArray(flags) || !flags.every((flag) => typeof flag === "string"))
    throw wrong(`has ${what}.Flags that are no list of texts`);
  const files = texts(value["Files"], `${what}.Files`);
  return {
    name: textOf(value, "Name"),
    endpoint: textOf(value, "Endpoint"),
    platforms: platforms.map((one) => parsePlatformJson(one, `${what}.Platforms`)),
    driverOpts: texts(value["DriverOpts"], `${what}.DriverOpts`),
    flags,
    files: Object.fromEntries(
      Object.entries(files).map(([name, data]) => [
        name,
        new Uint8Array(Buffer.from(data, "base64")),
      ]),
    ),
  };
}

function textOf(document: Readonly<Record<string, unknown>>, key: string): string {
  const value = document[key] ?? "";
  if (typeof value !== "string") throw wrong(`has a ${key} that is no text`);
  return value;
}

function texts(value: unknown, what: string): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) throw wrong(`has ${what} that is no object`);
  for (const one of Object.values(value))
    if (typeof one !== "string") throw wrong(`has ${what} with a member that is no text`);
  return value as Readonly<Record<string, string>>;
}

function wrong(why: string): KilnError {
  return new KilnError("CONFIG_INVALID", `the document ${why}`);
}
