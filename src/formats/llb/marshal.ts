// Turns a graph under construction into a definition: inputs before users, equal ops once.
import { type Digest, digestOf, KilnError } from "../../base/index.ts";
import type { Platform } from "../oci/index.ts";
import type { Definition, DefinitionOp, OpMetadata, SourceLocation } from "./definition.ts";
import { OpWriter } from "./op-writer.ts";
import { type OpKind, type OpScope, type Output, opKinds, type Vertex } from "./vertex.ts";
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

/** One output of an op that was written before. */
interface Input {
  readonly digest: Digest;
  readonly index: number;
}

interface MarshalledOp {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  metadata: OpMetadata;
}

/** Walks the graph and writes each op; it is itself what an op that is being written asks. */
class Marshaller implements OpScope {
  readonly locations: Map<Digest, SourceLocation[]> = new Map();
  platform: Platform;
  readonly localUniqueId: string;
  readonly #own: Platform;
  readonly #digests = new Map<Vertex, Digest>();
  /** In the order of the definition. */
  readonly #ops = new Map<Digest, MarshalledOp>();
  readonly #writer = new OpWriter();
  /** The first so many are the inputs of the op that is being written. */
  readonly #inputs: Input[] = [];
  #inputCount = 0;
  #total = 0;
  #ignoresCache = false;
  #isDescribed = false;

  constructor({ platform, localUniqueId }: MarshalOptions) {
    this.platform = platform;
    this.#own = platform;
    this.localUniqueId = localUniqueId;
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
    const caps = ["constraints"];
    if (this.#isDescribed) caps.push("meta.description");
    if (this.#ignoresCache) caps.push("meta.ignorecache");
    caps.push("platform");
    this.addInput(output);
    this.#writeInputs();
    // What only points at the result stands nowhere: it has no locations.
    this.#finish({ description: {}, caps }, undefined);
  }

  input(output: Output | undefined): number {
    if (output === undefined) return -1;
    const digest = this.#digestOf(output);
    for (let at = 0; at < this.#inputCount; at++) {
      const known = this.#inputs[at];
      if (known?.digest === digest && known.index === output.index) return at;
    }
    this.addInput(output);
    return this.#inputCount - 1;
  }

  addInput(output: Output): void {
    this.#inputs[this.#inputCount++] = { digest: this.#digestOf(output), index: output.index };
  }

  begin(kind: OpKind, platformSpecific: boolean): OpWriter {
    this.#writeInputs();
    const to = this.#writer;
    if (platformSpecific) writePlatform(to, this.platform);
    // Constraints of the worker: there, and empty.
    to.begin(11);
    to.end();
    // Members of a oneof stand last.
    to.begin(opKinds[kind]);
    return to;
  }

  #add(vertex: Vertex): void {
    if (this.#digests.has(vertex)) return;
    const { constraints, marshalled } = vertex;
    const { locations = none } = constraints;
    if (marshalled !== undefined) {
      const { digest, bytes, metadata } = marshalled;
      this.#digests.set(vertex, digest);
      this.#keep(digest, bytes, metadata, locations);
      return;
    }
    this.platform = vertex.platform ?? this.#own;
    vertex.write(this);
    this.#writer.end();
    this.#digests.set(vertex, this.#finish(metadataOf(vertex), locations));
  }

  #writeInputs(): void {
    const to = this.#writer;
    for (let at = 0; at < this.#inputCount; at++) {
      const { digest, index } = this.#inputs[at] as Input;
      to.begin(1);
      to.text(1, digest);
      to.number(2, index);
      to.end();
    }
    this.#inputCount = 0;
  }

  #finish(metadata: OpMetadata, locations: readonly SourceLocation[] | undefined): Digest {
    const bytes = this.#writer.take();
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
    this.#ignoresCache ||= metadata.ignoreCache === true;
    this.#isDescribed ||= Object.keys(metadata.description).length > 0;
    const before = this.#ops.get(digest);
    if (before !== undefined) {
      before.metadata = mergeMetadata(before.metadata, metadata);
      if (locations !== undefined) this.locations.get(digest)?.push(...locations);
      return;
    }
    if (locations !== undefined) this.locations.set(digest, [...locations]);
    this.#ops.set(digest, { digest, bytes, metadata });
    this.#total += bytes.length;
    if (this.#total > MAX_DEFINITION_BYTES) {
      throw new KilnError(
        "DEFINITION_INVALID",
        `the definition has more than ${MAX_DEFINITION_BYTES} bytes`,
      );
    }
  }

  #digestOf({ vertex }: Output): Digest {
    const digest = this.#digests.get(vertex);
    if (digest === undefined) throw new Error("a vertex was written before its input");
    return digest;
  }
}

const none: readonly never[] = [];

function metadataOf({ constraints, caps }: Vertex): OpMetadata {
  const { name, description, ignoreCache, progressGroup } = constraints;
  const metadata: { -readonly [Key in keyof OpMetadata]: OpMetadata[Key] } = {
    description: named(description, name),
    caps,
  };
  if (ignoreCache) metadata.ignoreCache = true;
  if (progressGroup) metadata.progressGroup = progressGroup;
  return metadata;
}

function named(
  description: OpMetadata["description"] | undefined,
  name: string | undefined,
): OpMetadata["description"] {
  if (name === undefined) return description ?? {};
  return description === undefined
    ? { "llb.customname": name }
    : { ...description, "llb.customname": name };
}

/** What two vertices of the same bytes say: all of it, the later one's words before the earlier one's. */
function mergeMetadata(before: OpMetadata, after: OpMetadata): OpMetadata {
  return {
    ...before,
    ...after,
    description: { ...before.description, ...after.description },
    caps:
      before.caps === after.caps
        ? before.caps
        : [...new Set([...before.caps, ...after.caps])].sort(),
  };
}

function writePlatform(to: OpWriter, platform: Platform): void {
  to.begin(10);
  to.text(1, platform.architecture);
  to.text(2, platform.os);
  to.text(3, platform.variant ?? "");
  to.text(4, platform.osVersion ?? "");
  to.texts(5, platform.osFeatures);
  to.end();
}
