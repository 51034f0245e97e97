// How a request says which files it wants: the metadata of FileSync.DiffCopy.
import type { FileFilter } from "../../../api/index.ts";
import type { Metadata } from "../../grpc/index.ts";

export interface FilesRequest {
  /** Of the shared directory. */
  readonly name: string;
  readonly filter: FileFilter;
}

const keys = {
  name: "dir-name",
  include: "include-patterns",
  exclude: "exclude-patterns",
  followPaths: "followpaths",
} as const;

/** A list with anything but ASCII is escaped as a whole, as Go's url.QueryEscape does; a key of its own says so. */
export function encodeFilesRequest({ name, filter }: FilesRequest): Metadata {
  const metadata = new Map<string, readonly string[]>();
  const add = (key: string, values: readonly string[] | undefined) => {
    if (values === undefined) return;
    // Header values are ASCII without control characters.
    const isEscaped = values.some((value) => /[^\x20-\x7e]/.test(value) || value !== value.trim());
    metadata.set(key, isEscaped ? values.map(queryEscape) : values);
    if (isEscaped) metadata.set(`${key}-encoded`, ["1"]);
  };
  add(keys.name, [name]);
  add(keys.include, filter.include);
  add(keys.exclude, filter.exclude);
  add(keys.followPaths, filter.followPaths);
  return metadata;
}

export function decodeFilesRequest(metadata: Metadata): FilesRequest {
  const list = (key: string): readonly string[] | undefined => {
    const values = metadata.get(key);
    const encoded = isTrue(metadata.get(`${key}-encoded`)?.[0]);
    return encoded ? values?.map(queryUnescape) : values;
  };
  const include = list(keys.include);
  const exclude = list(keys.exclude);
  const followPaths = list(keys.followPaths);
  return {
    name: list(keys.name)?.[0] ?? "",
    filter: {
      ...(include ? { include } : {}),
      ...(exclude ? { exclude } : {}),
      ...(followPaths ? { followPaths } : {}),
    },
  };
}

function isTrue(value: string | undefined): boolean {
  return ["1", "t", "T", "TRUE", "true", "True"].includes(value ?? "");
}

function queryEscape(value: string): string {
  const escaped = encodeURIComponent(value).replaceAll("%20", "+");
  return escaped.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** What is not escaped rightly is nothing, as in Go. */
function queryUnescape(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    return "";
  }
}
