// Named contexts: `--build-context name=…` puts other files in the place of an image or a stage.
import { deferred, image, local, ociLayout, type State, scratch } from "../../llb/index.ts";
import {
  familiarReference,
  formatPlatformFully,
  formatReference,
  type ImageConfig,
  normalizePlatform,
  type Platform,
  parseImageConfig,
  parseReference,
  withDefaultTag,
} from "../../oci/index.ts";
import type { UsedPaths } from "./build-context.ts";
import type { ConvertIo, ConvertOptions } from "./options.ts";
import { dockerfileError } from "./problem.ts";
import { remoteContext } from "./remote-source.ts";

/** Files that stand in for an image or stage; looked up when they are needed. */
export interface NamedContext {
  load(): Promise<{ readonly files: State; readonly image: ImageConfig | undefined }>;
}

export interface ContextQuestion {
  readonly platform: Platform;
  /** What of a lent directory is used. */
  readonly used: UsedPaths;
}

/** The context of a name, if there is one. */
export type FindNamedContext = (
  name: string,
  question: ContextQuestion,
) => NamedContext | undefined;

export function createContextFinder(options: ConvertOptions, io: ConvertIo): FindNamedContext {
  const { namedContexts = {} } = options;
  return (name, question) => {
    if (/^(scratch|context)$/i.test(name) || Object.keys(namedContexts).length === 0)
      return undefined;
    const short = familiarReference(parseReference(name)).replace(/:latest$/, "");
    const own = `${short}::${formatPlatformFully(normalizePlatform(question.platform))}`;
    const found = [own, short].find((key) => Object.hasOwn(namedContexts, key));
    if (found === undefined) return undefined;
    const value = namedContexts[found] ?? "";
    return { load: () => loadContext(found, value, question, options, io) };
  };
}

async function loadContext(
  name: string,
  value: string,
  question: ContextQuestion,
  options: ConvertOptions,
  io: ConvertIo,
): Promise<{ readonly files: State; readonly image: ImageConfig | undefined }> {
  const { scheme, rest } = splitScheme(value);
  const prefix = `[context ${name}]`;
  switch (scheme) {
    case "docker-image":
      if (rest === "scratch") return { files: scratch(), image: undefined };
      return await imageContext(rest, prefix, question, options, io);
    case "oci-layout":
      return await layoutContext(name, rest, prefix, question, io);
    case "input":
      return inputContext(name, rest, options);
    case "local":
      return {
        files: await localContext(name, rest, prefix, question, options, io),
        image: undefined,
      };
    default: {
      const files = remoteContext(value);
      if (files !== undefined) return { files, image: undefined };
      throw dockerfileError(
        `unsupported context source ${scheme} for ${name}`,
        "Use a directory, docker-image://, oci-layout://, a git repository or a URL.",
      );
    }
  }
}

function splitScheme(value: string): { readonly scheme: string; readonly rest: string } {
  const colon = value.indexOf(":");
  if (colon === -1) throw dockerfileError(`invalid context source ${value}`);
  return { scheme: value.slice(0, colon), rest: value.slice(colon + 1).replace(/^\/\//, "") };
}

async function imageContext(
  name: string,
  prefix: string,
  { platform }: ContextQuestion,
  options: ConvertOptions,
  io: ConvertIo,
): Promise<{ readonly files: State; readonly image: ImageConfig }> {
  const reference = withDefaultTag(parseReference(name));
  const full = formatReference(reference);
  const mode = options.imageResolveMode ?? "default";
  const answer = await io.resolveImage(full, {
    platform,
    mode,
    logName: `${prefix} load metadata for ${full}`,
  });
  // BuildKit: unlike the image of a FROM, it is not pinned to the digest that was found.
  const files = image(full, { platform, name: `${prefix} ${name}`, resolveMode: mode });
  return { files, image: parseImageConfig(answer.config) };
}

/** Files that came with the request. BuildKit: frontend/dockerui/namedcontext.go, scheme "input". */
function inputContext(
  name: string,
  input: string,
  { inputs = {} }: ConvertOptions,
): { readonly files: State; readonly image: ImageConfig | undefined } {
  const found = Object.hasOwn(inputs, input) ? inputs[input] : undefined;
  if (found === undefined) {
    throw dockerfileError(
      `invalid input ${input} for ${name}`,
      `Of the build's inputs (${Object.keys(inputs).join(", ") || "there are none"}) none is called that.`,
    );
  }
  const { files, config } = found;
  return { files, image: config === undefined ? undefined : parseImageConfig(config) };
}

/** `value` names the lent layout; for people, the image is called as the context is. */
async function layoutContext(
  name: string,
  value: string,
  prefix: string,
  { platform }: ContextQuestion,
  io: ConvertIo,
): Promise<{ readonly files: State; readonly image: ImageConfig }> {
  const lent = parseReference(value);
  const { digest } = lent;
  if (digest === undefined) {
    throw dockerfileError(
      `oci-layout reference ${JSON.stringify(value)} has no digest`,
      "Write oci-layout://NAME@sha256:…",
    );
  }
  const { tag: _, ...named } = parseReference(name.replace(/::.*$/, ""));
  const full = formatReference({ ...named, digest });
  const layout = { storeId: familiarReference(lent).replace(/[:@].*$/, "") };
  const logName = `${prefix} load metadata for ${full}`;
  const answer = await io.resolveImage(full, { platform, mode: "default", logName, layout });
  const files = ociLayout(full, { platform, name: `${prefix} OCI load from client`, ...layout });
  return { files, image: parseImageConfig(answer.config) };
}

/** A lent directory: its own .dockerignore holds, and only what is used is sent. */
async function localContext(
  name: string,
  localName: string,
  prefix: string,
  { used }: ContextQuestion,
  options: ConvertOptions,
  io: ConvertIo,
): Promise<State> {
  const key = options.sharedKeys?.[name];
  const excludePatterns = (await io.ignorePatterns?.(localName)) ?? [];
  const sessionId = options.sessionIds?.[localName] ?? options.context?.sessionId;
  return deferred(() => {
    const followPaths = used.list();
    return local(localName, {
      name: `${prefix} load from client`,
      sharedKeyHint: key ? `context:${name}-${key}` : `context:${name}`,
      excludePatterns,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(followPaths === undefined ? {} : { followPaths }),
    });
  });
}
