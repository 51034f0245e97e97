// Frontends' results on the wire and here: what was answered goes back as it came.
import type { FrontendResult, PlatformResult } from "../../../api/index.ts";
import { KilnError } from "../../../base/index.ts";
import { type Definition, decodeDefinition } from "../../../formats/llb/index.ts";
import { formatPlatform, type Platform } from "../../../formats/oci/index.ts";
import { gateway, pb } from "../../../formats/proto/index.ts";
import { readResult, resultKeys } from "../../session/index.ts";

/** What the builder calls what this side knows: ids of definitions, messages of results. */
export class KnownResults {
  readonly #ids = new WeakMap<Definition, string>();
  readonly #messages = new WeakMap<FrontendResult, gateway.Result>();
  readonly #definitions: Definition[] = [];

  /** Of everything that was answered or solved so far. */
  get definitions(): readonly Definition[] {
    return this.#definitions;
  }

  idOf(definition: Definition): string | undefined {
    return this.#ids.get(definition);
  }

  name(definition: Definition, id: string): void {
    this.#ids.set(definition, id);
    this.#definitions.push(definition);
  }

  /** Throws `REQUEST_INVALID` for what makes no sense, `BUILDER_FAILED` for a builder that keeps definitions to itself. */
  read(message: gateway.Result, native: Platform): FrontendResult {
    const { parts, multiPlatform, metadata } = readResult(message, () => native);
    const platforms = parts.map(({ ref, ...part }): PlatformResult => {
      if (ref.id === "") return { ...part, definition: undefined };
      if (!ref.def)
        throw new KilnError("BUILDER_FAILED", "the builder did not say what it is to build");
      const definition = decodeDefinition(pb.Definition.encode(ref.def).finish());
      this.name(definition, ref.id);
      return { ...part, definition };
    });
    const result = { platforms, multiPlatform, metadata };
    this.#messages.set(result, message);
    return result;
  }

  /** The message as it was answered, or one made of results that are known by their definitions. */
  message(result: FrontendResult): gateway.Result {
    return this.#messages.get(result) ?? this.#made(result);
  }

  #made({ platforms, multiPlatform, metadata }: FrontendResult): gateway.Result {
    const text = new TextEncoder();
    const entries = new Map(
      Object.entries(metadata).map(([key, value]) => [key, text.encode(value)] as const),
    );
    const refs = new Map<string, gateway.Ref>();
    for (const { id, definition, config, baseConfig, epoch } of platforms) {
      const suffix = multiPlatform ? `/${id}` : "";
      entries.set(`${resultKeys.config}${suffix}`, text.encode(JSON.stringify(config)));
      if (baseConfig)
        entries.set(`${resultKeys.baseConfig}${suffix}`, text.encode(JSON.stringify(baseConfig)));
      if (epoch) {
        const seconds = String(Math.floor(epoch.getTime() / 1000));
        entries.set(`${resultKeys.epoch}${suffix}`, text.encode(seconds));
      }
      refs.set(id, { id: (definition && this.idOf(definition)) ?? "", def: undefined });
    }
    const Platforms = platforms.map(({ id, platform }) => ({ ID: id, Platform: platform }));
    if (Platforms.length > 0)
      entries.set(resultKeys.platforms, text.encode(JSON.stringify({ Platforms })));
    const [first] = refs.values();
    return gateway.Result.create({
      metadata: entries,
      ...(multiPlatform
        ? { result: { $case: "refs", value: { refs } } }
        : first && { result: { $case: "ref", value: first } }),
    });
  }
}

/** What a worker builds for when nothing else is said. */
export function nativePlatform({ Workers }: gateway.PongResponse): readonly Platform[] {
  const all = Workers.flatMap(({ platforms }) => platforms);
  const found = all.map(
    ({ OS, Architecture, Variant }): Platform => ({
      os: OS,
      architecture: Architecture,
      ...(Variant === "" ? {} : { variant: Variant }),
    }),
  );
  return [...new Map(found.map((one) => [formatPlatform(one), one])).values()];
}
