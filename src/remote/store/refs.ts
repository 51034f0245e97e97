// Where builds were started from, by builder, node and ref, in buildx's own layout: refs/BUILDER/NODE/REF and refs/__group__/ID.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fromNodeError, goJson, isRecord, writeFileAtomic } from "../../base/index.ts";

/** What a daemon is not told of a build: paths of this machine. */
export interface BuildOrigin {
  /** The target's name where several are built together; `default` for a single one. */
  readonly target: string;
  /** The context: an absolute path, a URL, or `-` for standard input. */
  readonly localPath: string;
  /** Absolute, relative to a remote context, `-`, or empty where it has the usual name in the context. */
  readonly dockerfilePath: string;
  /** Of targets that were built together. */
  readonly groupRef?: string;
}

/** Targets that were built together. */
export interface OriginGroup {
  readonly targets: readonly string[];
  /** `BUILDER/NODE/REF`. */
  readonly refs: readonly string[];
}

/** What is known of where builds came from. What cannot be read is not known. */
export interface BuildOrigins {
  read(builder: string, node: string, ref: string): BuildOrigin | undefined;
  /** Throws where it cannot be written. */
  save(builder: string, node: string, ref: string, origin: BuildOrigin): void;
  readGroup(id: string): OriginGroup | undefined;
  saveGroup(id: string, group: OriginGroup): void;
  /** Forgets what was built on a node, or on all of them, and groups of which nothing is left. */
  remove(builder: string, node?: string): void;
}

const groupDirectory = "__group__";
/** Characters of a document that is read; paths are short. */
const maxDocument = 1 << 20;

/** `directory` is the store's. */
export function openBuildOrigins(directory: string): BuildOrigins {
  const at = (...parts: readonly string[]) => join(directory, "refs", ...parts.map(checked));
  const read = (builder: string, node: string, ref: string) => {
    const document = documentIn(at(builder, node, ref));
    return document && originOf(document);
  };
  const readGroup = (id: string) => {
    const document = documentIn(at(groupDirectory, id));
    return document && { targets: texts(document["Targets"]), refs: texts(document["Refs"]) };
  };
  return {
    read,
    save: (builder, node, ref, { target, localPath, dockerfilePath, groupRef }) =>
      write(at(builder, node, ref), {
        Target: target,
        LocalPath: localPath,
        DockerfilePath: dockerfilePath,
        ...(groupRef ? { GroupRef: groupRef } : {}),
      }),
    readGroup,
    saveGroup: (id, { targets, refs }) =>
      write(at(groupDirectory, id), {
        ...(targets.length > 0 ? { Targets: targets } : {}),
        Refs: refs,
      }),
    remove(builder, node) {
      const nodes = node === undefined ? namesIn(at(builder)) : [node];
      const groups = nodes.flatMap((one) =>
        namesIn(at(builder, one)).flatMap((ref) => read(builder, one, ref)?.groupRef ?? []),
      );
      rmSync(node === undefined ? at(builder) : at(builder, node), {
        recursive: true,
        force: true,
      });
      for (const group of new Set(groups)) {
        const { refs = [] } = readGroup(group) ?? {};
        if (!refs.some((ref) => existsSync(at(...ref.split("/")))))
          rmSync(at(groupDirectory, group), { force: true });
      }
    },
  };
}

/** Names of nodes may be endpoints: what would leave the directory names nothing in it. */
function checked(name: string): string {
  return name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")
    ? encodeURIComponent(name).replaceAll(".", "%2E") || "_"
    : name;
}

function originOf(document: Readonly<Record<string, unknown>>): BuildOrigin {
  const text = (key: string) => {
    const value = document[key];
    return typeof value === "string" ? value : "";
  };
  return {
    target: text("Target"),
    localPath: text("LocalPath"),
    dockerfilePath: text("DockerfilePath"),
    ...(text("GroupRef") === "" ? {} : { groupRef: text("GroupRef") }),
  };
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function documentIn(file: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = readFileSync(file, "utf8");
    const document: unknown = text.length > maxDocument ? undefined : JSON.parse(text);
    return isRecord(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function write(file: string, document: unknown): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileAtomic(file, goJson(document));
  } catch (error) {
    throw fromNodeError(error, `cannot write ${file}`);
  }
}
