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

class Marshaller {
  readonly locations: Map<Digest, SourceLocation[]> = new Map();
  readonly #options: MarshalOptions;
  readonly #digests = new Map<Vertex, Digest>();
  readonly #bytes = new Map<Digest, Uint8Array>();
  readonly #metadata = new Map<Digest, OpMetadata>();
  readonly #writer = createOpWriter();
  #total = 0;

  constructor(options: MarshalOptions) {
    this.#options = options;
  }

  ops(): DefinitionOp[] {
    return [...this.#bytes].map(([digest, bytes]) => ({
      digest,
      bytes,
      metadata: this.#metadata.get(digest) ?? { description: {}, caps: [] },
    }));
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
    const digest = this.#append(pb.Op.create({ inputs: [this.#input(output)] }));
    const all = [...this.#metadata.values()];
    const caps = ["constraints", "platform"];
    if (all.some(({ ignoreCache }) => ignoreCache)) caps.push("meta.ignorecache");
    if (all.some(({ description }) => Object.keys(description).length > 0))
      caps.push("meta.description");
    this.#metadata.set(digest, { description: {}, caps: caps.sort() });
  }

  #add(vertex: Vertex): void {
    if (this.#digests.has(vertex)) return;
    const { constraints } = vertex;
    const scope: EncodeScope = {
      input: (output) => this.#input(output),
      platform: constraints.platform ?? this.#options.platform,
      localUniqueId: this.#options.localUniqueId,
    };
    const encoded = vertex.encode(scope);
    const digest = this.#append({
      inputs: [...encoded.inputs],
      platform: encoded.platformSpecific ? toPlatformMessage(scope.platform) : undefined,
      constraints: { filter: [] },
      op: encoded.op,
    });
    this.#digests.set(vertex, digest);
    const metadata = metadataOf(vertex, encoded);
    const before = this.#metadata.get(digest);
    this.#metadata.set(digest, before === undefined ? metadata : mergeMetadata(before, metadata));
    this.locations.set(digest, [
      ...(this.locations.get(digest) ?? []),
      ...(constraints.locations ?? []),
    ]);
  }

  #append(op: pb.Op): Digest {
    const bytes = pb.Op.encode(op, this.#writer).finish();
    const digest = digestOf(bytes);
    if (!this.#bytes.has(digest)) {
      this.#bytes.set(digest, bytes);
      this.#total += bytes.length;
      if (this.#total > MAX_DEFINITION_BYTES) {
        throw new KilnError(
          "DEFINITION_INVALID",
          `the definition has more than ${MAX_DEFINITION_BYTES} bytes`,
        );
      }
    }
    return digest;
  }

  #input({ vertex, index }: Output): pb.Input {
    const digest = this.#digests.get(vertex);
    if (digest === undefined) throw new Error("a vertex was encoded before its input");
    return { digest, index };
  }
}

function metadataOf({ constraints, caps }: Vertex, encoded: EncodedOp): OpMetadata {
  const { name, description, ignoreCache, progressGroup } = constraints;
  return {
    description: { ...description, ...(name === undefined ? {} : { "llb.customname": name }) },
    caps: [...new Set([...caps, ...(encoded.caps ?? [])])].sort(),
    ...(ignoreCache ? { ignoreCache: true } : {}),
    ...(progressGroup ? { progressGroup } : {}),
  };
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
