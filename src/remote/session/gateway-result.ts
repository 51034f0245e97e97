// A frontend's result as a message: references by platform, and what the metadata say of each.
import type { Attrs, FrontendResult, PlatformResult } from "../../api/index.ts";
import { isRecord, KilnError } from "../../base/index.ts";
import {
  defaultImageConfig,
  formatPlatform,
  type ImageConfig,
  type Platform,
} from "../../formats/oci/index.ts";
import type { gateway } from "../../formats/proto/index.ts";

/** Keys of a result's metadata (exporter/containerimage/exptypes). */
export const resultKeys = {
  config: "containerimage.config",
  baseConfig: "containerimage.base.config",
  platforms: "refs.platforms",
  epoch: "source.date.epoch",
  imageName: "image.name",
} as const;

/** What the metadata of a result say: configurations and times by platform, the platforms, words and annotations. */
export function resultMetadata(result: FrontendResult): Map<string, Uint8Array> {
  const text = new TextEncoder();
  const { annotations = {}, metadata, multiPlatform, platforms } = result;
  const entries = new Map(
    Object.entries({ ...metadata, ...annotations }).map(([key, value]) => [
      key,
      text.encode(value),
    ]),
  );
  const set = (key: string, value: string) => void entries.set(key, text.encode(value));
  for (const { id, config, baseConfig, epoch } of platforms) {
    const suffix = multiPlatform ? `/${id}` : "";
    set(`${resultKeys.config}${suffix}`, JSON.stringify(config));
    if (baseConfig) set(`${resultKeys.baseConfig}${suffix}`, JSON.stringify(baseConfig));
    if (epoch) set(`${resultKeys.epoch}${suffix}`, String(Math.floor(epoch.getTime() / 1000)));
  }
  const Platforms = platforms.map(({ id, platform }) => {
    const { os, architecture, variant, osVersion, osFeatures } = platform;
    const rest = { variant, "os.version": osVersion, "os.features": osFeatures };
    return { ID: id, Platform: { architecture, os, ...rest } };
  });
  if (result.imageName !== undefined) set(resultKeys.imageName, result.imageName);
  if (Platforms.length > 0) set(resultKeys.platforms, JSON.stringify({ Platforms }));
  return entries;
}

/** One platform's outcome, with the reference it goes by on the wire. */
export interface ResultPart extends Omit<PlatformResult, "definition"> {
  readonly ref: gateway.Ref;
}

export interface ReadResult {
  readonly parts: readonly ResultPart[];
  readonly multiPlatform: boolean;
  /** What is told to whoever asked for the build. */
  readonly metadata: Attrs;
  /** For exporters of images. */
  readonly annotations: Attrs;
  readonly imageName?: string;
}

/** `native` is the platform of a result that does not say. Throws `REQUEST_INVALID`. */
export function readResult(
  { result, metadata }: gateway.Result,
  native: () => Platform,
): ReadResult {
  const refs = refsOf(result);
  const name = metadata.get(resultKeys.imageName);
  const said = readPlatforms(metadata.get(resultKeys.platforms));
  // The message has no order of its own: Go's clients send theirs in a new one each time.
  const place = (key: string) => said.findIndex((one) => one.ID === key);
  const inOrder = [...refs].sort(([a], [b]) => place(a) - place(b));
  const parts = inOrder.map(([key, ref]): ResultPart => {
    const suffix = key === "" ? "" : `/${key}`;
    const config = readConfig(
      metadata.get(`${resultKeys.config}${suffix}`) ?? metadata.get(resultKeys.config),
    );
    const named = key === "" ? said[0] : said.find((one) => one.ID === key);
    const platform = named?.Platform ?? platformOf(config) ?? native();
    const base = readConfig(metadata.get(`${resultKeys.baseConfig}${suffix}`));
    const epoch = metadata.get(`${resultKeys.epoch}${suffix}`);
    return {
      ref,
      platform,
      id: key === "" ? (named?.ID ?? formatPlatform(platform)) : key,
      config: config ?? defaultImageConfig(platform),
      ...(base ? { baseConfig: base } : {}),
      ...(epoch ? { epoch: new Date(Number(new TextDecoder().decode(epoch)) * 1000) } : {}),
    };
  });
  return {
    parts,
    multiPlatform: !refs.has(""),
    metadata: attrsWith("frontend.", metadata),
    annotations: attrsWith("annotation", metadata),
    ...(name && name.length > 0 ? { imageName: new TextDecoder().decode(name) } : {}),
  };
}

/** Reference by platform; the empty key is the result as such. */
function refsOf(result: gateway.Result["result"]): ReadonlyMap<string, gateway.Ref> {
  switch (result?.$case) {
    case "ref":
      return new Map([["", result.value]]);
    case "refDeprecated":
      return new Map([["", unnamed(result.value)]]);
    case "refs":
      return result.value.refs;
    case "refsDeprecated":
      return new Map(Array.from(result.value.refs, ([key, id]) => [key, unnamed(id)]));
    default:
      return new Map([["", unnamed("")]]);
  }
}

/** A reference as old clients give it. */
function unnamed(id: string): gateway.Ref {
  return { id, def: undefined };
}

/** The metadata of names that begin so, as text. */
function attrsWith(prefix: string, metadata: ReadonlyMap<string, Uint8Array>): Attrs {
  const text = new TextDecoder();
  return Object.fromEntries(
    [...metadata]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key, text.decode(value)]),
  );
}

function parse(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new KilnError("REQUEST_INVALID", `${what} of the result is not JSON`, { cause });
  }
}

function readConfig(bytes: Uint8Array | undefined): ImageConfig | undefined {
  if (!bytes || bytes.length === 0) return undefined;
  const config = parse(bytes, resultKeys.config);
  if (!isRecord(config))
    throw new KilnError("REQUEST_INVALID", `${resultKeys.config} is no object`);
  return { rootfs: { type: "layers", diff_ids: [] }, ...config } as unknown as ImageConfig;
}

function readPlatforms(
  bytes: Uint8Array | undefined,
): readonly { readonly ID: string; readonly Platform: Platform }[] {
  if (!bytes || bytes.length === 0) return [];
  const document = parse(bytes, resultKeys.platforms);
  const list = isRecord(document) ? document["Platforms"] : undefined;
  const isEntry = (one: unknown) =>
    isRecord(one) &&
    typeof one["ID"] === "string" &&
    isRecord(one["Platform"]) &&
    typeof one["Platform"]["os"] === "string" &&
    typeof one["Platform"]["architecture"] === "string";
  if (Array.isArray(list) && list.every(isEntry)) return list;
  throw new KilnError(
    "REQUEST_INVALID",
    `${resultKeys.platforms} of the result does not list platforms`,
  );
}

function platformOf(config: ImageConfig | undefined): Platform | undefined {
  if (!config?.os || !config.architecture) return undefined;
  const { os, architecture, variant } = config;
  return { os, architecture, ...(variant ? { variant } : {}) };
}
