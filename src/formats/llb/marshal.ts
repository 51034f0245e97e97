// Turns a graph under construction into a definition: inputs before users, equal ops once.
import { type Digest, digestOf, KilnError } from "../../base/index.ts";
import type { Platform } from "../oci/index.ts";
import { pb } from "../proto/index.ts";
import type { Definition, DefinitionOp, OpMetadata, SourceLocation } from "./definition.ts";
import { createOpWriter } from "./op-writer.ts";
import type { EncodedOp, EncodeScope, Output, Vertex } from "./vertex.ts";
import { MAX_DEFINITION_BYTES } from "./wire.ts";

export interface MarshalOptions {
  /** For ops that do not say. */
  readonly platform: Platform;
  /** Goes into local sources, so that two builds do not take one another's files for their own. */
  readonly localUniqueId: string;
}

/** The definition of what `output` stands for; undefined is the empty file system, whose definition has no ops. */
export function marshalOutput(output: Output | undefined, options: MarshalOptions): Definition {
  if (output === undefined) return { ops: [] };
  const marshaller = new Marshaller(options);
  marshaller.walk(output.vertex);
  marshaller.end(output);
  return { ops: marshaller.ops(), locations: marshaller.locations };
}

interface MarshalledOp {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  metadata: OpMetadata;
}

class Marshaller {
  readonly locations: Map<Digest, readonly SourceLocation[]> = new Map();
  readonly #options: MarshalOptions;
  readonly #digests = new Map<Vertex, Digest>();
  /** In the order of the definition. */
  readonly #ops = new Map<Digest, MarshalledOp>();
  readonly #writer = createOpWriter();
  readonly #platforms = new Map<Platform, pb.Platform>();
  #lastScope: EncodeScope | undefined;
  #total = 0;

  constructor(options: MarshalOptions) {
    this.#options = options;
  }

  ops(): DefinitionOp[] {
    return [...this.#ops.values()];
  }

  /** Depth first without recursion: a chain may be longer than the stack is deep. */
  walk(root: Vertex): void {
    const path: { vertex: Vertex; inputs: readonly Output[]; next: number }[] = [];
    const enter = (vertex: Vertex): void => {
      if (!this.#digests.has(vertex)) path.push({ vertex, inputs: vertex.inputs, next: 0 });
    };
    enter(root);
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const input = at.inputs[at.next++];
      if (input === undefined) {
        this.#add(at.vertex);
        path.pop();
      } else {
        enter(input.vertex);
      }
    }
  }

  /** Appends the op that points at the result, and says which capabilities reading all of it takes. */
  end(output: Output): void {
    const caps = ["constraints", "platform"];
    const all = this.ops();
    if (all.some(({ metadata }) => metadata.ignoreCache)) caps.push("meta.ignorecache");
    if (all.some(({ metadata }) => Object.keys(metadata.description).length > 0))
      caps.push("meta.description");
    const last = { inputs: [this.#input(output)] };
    this.#append(pb.Op.create(last), { description: {}, caps: caps.sort() }, undefined);
  }

  #add(vertex: Vertex): void {
    if (this.#digests.has(vertex)) return;
    const { constraints, marshalled } = vertex;
    const { locations = none } = constraints;
    if (marshalled !== undefined) {
      this.#digests.set(vertex, marshalled.digest);
      this.#keep(marshalled.digest, marshalled.bytes, marshalled.metadata, locations);
      return;
    }
    const platform = constraints.platform ?? this.#options.platform;
    const encoded = vertex.encode(this.#scope(platform));
    const op = {
      inputs: encoded.inputs as pb.Input[],
      platform: encoded.platformSpecific ? this.#platform(platform) : undefined,
      constraints: noConstraints,
      op: encoded.op,
    };
    this.#digests.set(vertex, this.#append(op, metadataOf(vertex, encoded), locations));
  }

  /** Platforms are few and vertices are many. */
  #scope(platform: Platform): EncodeScope {
    if (this.#lastScope?.platform === platform) return this.#lastScope;
    const { localUniqueId } = this.#options;
    this.#lastScope = { input: (output) => this.#input(output), platform, localUniqueId };
    return this.#lastScope;
  }

  #platform(platform: Platform): pb.Platform {
    const known = this.#platforms.get(platform);
    if (known !== undefined) return known;
    const message = toPlatformMessage(platform);
    this.#platforms.set(platform, message);
    return message;
  }

  /** What only points at the result stands nowhere: it has no locations. */
  #append(
    op: pb.Op,
    metadata: OpMetadata,
    locations: readonly SourceLocation[] | undefined,
  ): Digest {
    const bytes = pb.Op.encode(op, this.#writer).finish();
    const digest = digestOf(bytes);
    this.#keep(digest, bytes, metadata, locations);
    return digest;
  }

  /** Of equal ops the bytes stand there once, with what is said of any of them. */
  #keep(
    digest: Digest,
    bytes: Uint8Array,
    metadata: OpMetadata,
    locations: readonly SourceLocation[] | undefined,
  ): void {
    const before = this.#ops.get(digest);
    if (locations !== undefined) {
      const places = this.locations.get(digest);
      this.locations.set(digest, places === undefined ? locations : [...places, ...locations]);
    }
    if (before !== undefined) {
      before.metadata = mergeMetadata(before.metadata, metadata);
      return;
    }
    this.#ops.set(digest, { digest, bytes, metadata });
    this.#total += bytes.length;
    if (this.#total > MAX_DEFINITION_BYTES) {
      throw new KilnError(
        "DEFINITION_INVALID",
        `the definition has more than ${MAX_DEFINITION_BYTES} bytes`,
      );
    }
  }

  #input({ vertex, index }: Output): pb.Input {
    const digest = this.#digests.get(vertex);
    if (digest === undefined) throw new Error("a vertex was encoded before its input");
    return { digest, index };
  }
}

const noConstraints: pb.WorkerConstraints = { filter: [] };
const none: readonly never[] = [];

function metadataOf({ constraints, caps }: Vertex, encoded: EncodedOp): OpMetadata {
  const { name, description, ignoreCache, progressGroup } = constraints;
  const metadata: { -readonly [Key in keyof OpMetadata]: OpMetadata[Key] } = {
    description:
      name === undefined ? { ...description } : { ...description, "llb.customname": name },
    caps: sortedCaps(encoded.caps === undefined ? caps : [...caps, ...encoded.caps]),
  };
  if (ignoreCache) metadata.ignoreCache = true;
  if (progressGroup) metadata.progressGroup = progressGroup;
  return metadata;
}

/** Each once, in order. */
function sortedCaps(caps: readonly string[]): readonly string[] {
  return caps.length < 2 ? caps : [...new Set(caps)].sort();
}

/** What two vertices of the same bytes say: all of it, the later one's words before the earlier one's. */
function mergeMetadata(before: OpMetadata, after: OpMetadata): OpMetadata {
  return {
    ...before,
    ...after,
    description: { ...before.description, ...after.description },
    caps: [...new Set([...before.caps, ...after.caps])].sort(),
  };
}

function toPlatformMessage(platform: Platform): pb.Platform {
  return {
    Architecture: platform.architecture,
    OS: platform.os,
    Variant: platform.variant ?? "",
    OSVersion: platform.osVersion ?? "",
    OSFeatures: [...(platform.osFeatures ?? [])],
  };
}
