// What a source stands for, found out without fetching it.
import type {
  MetaOptions,
  NamedSource,
  ResolveMode,
  Session,
  SourceMeta,
} from "../../api/index.ts";
import { type Call, digestOf, KilnError } from "../../base/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { findSource, type Sources } from "../ops/index.ts";
import type { ImageSource } from "../source/index.ts";

export interface SourceMetaParts {
  readonly images: Pick<ImageSource, "resolveImage">;
  readonly sources: Sources;
  readonly platforms: readonly Platform[];
}

const modes: readonly ResolveMode[] = ["default", "pull", "local"];

/** Images are pinned to their digest; other sources keep their name, and what is known of them is said beside it. */
export async function resolveSourceMeta(
  source: NamedSource,
  options: MetaOptions,
  { images, sources, platforms }: SourceMetaParts,
  session: Session,
  call: Call,
): Promise<SourceMeta> {
  const { identifier, attrs } = source;
  const { resolveMode = "" } = options;
  const [native] = platforms;
  const platform = options.platform ?? native;
  if (!platform) throw new Error("no platform can be built here");
  const [, scheme, reference] = /^(docker-image|oci-layout):\/\/(.*)$/s.exec(identifier) ?? [];
  if (scheme !== undefined && reference !== undefined) {
    const mode = modes.find((one) => one === (resolveMode || attrs["image.resolvemode"]));
    if (resolveMode !== "" && !mode)
      throw new KilnError(
        "REQUEST_INVALID",
        `there is no resolve mode ${JSON.stringify(resolveMode)}`,
      );
    const layout = scheme === "oci-layout" ? (attrs["oci.store"] ?? "") : undefined;
    const found = await images.resolveImage(
      reference,
      { platform, ...(mode ? { mode } : {}), ...(layout === undefined ? {} : { layout }) },
      session,
      call,
    );
    return {
      source: { identifier: `${scheme}://${found.reference}`, attrs },
      image: { digest: found.digest, config: found.rawConfig },
    };
  }
  if (identifier.startsWith("local://")) return { source };
  const found = findSource({ kind: "source", ...source }, platform, sources);
  const step = { signal: call.signal, step: digestOf(identifier), emit: () => {} };
  const { meta = {} } = await found.source.resolve(found.id, session, step);
  return { source, ...meta };
}
