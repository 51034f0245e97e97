// A build that its client drives: what it solved so far, by reference, and the outcome it returns.
import { randomUUID } from "node:crypto";
import type {
  BuildBridge,
  Container,
  FailedWork,
  FrontendResult,
  PlatformResult,
  ResultRef,
} from "../../api/index.ts";
import { abortable, type Call, type Digest, isKilnError, KilnError } from "../../base/index.ts";
import { type Definition, encodeDefinition, type SourceLocation } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import { errdefs, gateway, pb, type rpc } from "../../formats/proto/index.ts";
import { StatusError } from "../grpc/index.ts";
import { readResult, resultMetadata } from "../session/index.ts";
import { attestationMessages, readAttestationMessages } from "./attestations.ts";

/** References that one build may hold; clients need a handful. */
const maxRefs = 10_000;

/** What a reference stands for. */
interface Known {
  readonly definition: Definition | undefined;
  solved?: Promise<ResultRef | undefined>;
}

export class DrivenBuild {
  readonly bridge: BuildBridge;
  readonly #call: Call;
  readonly #refs = new Map<string, Known>();
  /** Names that are taken, also by containers that are being opened. */
  readonly #containers = new Map<string, Promise<Container>>();
  readonly #open = new Map<string, Container>();
  readonly #failures = new Map<FailedWork, errdefs.Solve>();
  #settle: { resolve(result: FrontendResult): void; reject(error: unknown): void } = {
    resolve() {},
    reject() {},
  };
  readonly #outcome: Promise<FrontendResult>;

  /** `call` is the build's: what is solved belongs to all who ask, and goes on when one of them leaves. */
  constructor(bridge: BuildBridge, call: Call) {
    this.bridge = bridge;
    this.#call = call;
    this.#outcome = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#outcome.catch(() => {});
  }

  /** Resolves with what the client returns. */
  outcome(): Promise<FrontendResult> {
    return abortable(this.#outcome, this.#call);
  }

  /** A new name for a definition; empty for scratch. */
  hold(definition: Definition | undefined): gateway.Ref {
    if (!definition) return { id: "", def: undefined };
    if (this.#refs.size >= maxRefs)
      throw new KilnError("REQUEST_INVALID", `more than ${maxRefs} results in one build`);
    const id = randomUUID();
    this.#refs.set(id, { definition });
    return { id, def: pb.Definition.decode(encodeDefinition(definition)) };
  }

  /** The files behind a reference, solved now. Throws when the client made the reference up. */
  async files(id: string, call: Call): Promise<ResultRef | undefined> {
    const known = this.#known(id);
    const { definition } = known;
    if (definition) known.solved ??= this.bridge.solve(definition, this.#call);
    const solving = known.solved ?? Promise.resolve(undefined);
    solving.catch(() => {
      delete known.solved;
    });
    return await abortable(solving, call);
  }

  /** A frontend's result as the client gets it, its parts held. */
  resultMessage(result: FrontendResult): gateway.Result {
    const metadata = resultMetadata(result);
    const held = result.platforms.map((one) => [one.id, this.hold(one.definition)] as const);
    const [first] = held;
    const refs: gateway.Result["result"] = result.multiPlatform
      ? { $case: "refs", value: { refs: new Map(held) } }
      : first && { $case: "ref", value: first[1] };
    const attestations = new Map(
      result.platforms.flatMap(({ id, attestations: said = [] }) =>
        said.length === 0 ? [] : [[id, attestationMessages(said, (one) => this.hold(one))]],
      ),
    );
    return gateway.Result.create({ metadata, attestations, ...(refs ? { result: refs } : {}) });
  }

  /** The build's own. */
  get call(): Call {
    return this.#call;
  }

  /** Opens a container under a name. Throws when the name is taken. */
  async openContainer(id: string, open: () => Promise<Container>): Promise<void> {
    if (id === "" || this.#containers.has(id))
      throw new KilnError("REQUEST_INVALID", `container ${JSON.stringify(id)} exists already`);
    const opening = open();
    this.#containers.set(id, opening);
    try {
      this.#open.set(id, await opening);
    } catch (error) {
      this.#containers.delete(id);
      throw error;
    }
  }

  /** Throws when there is none of that name. */
  container(id: string): Container {
    const found = this.#open.get(id);
    if (found) return found;
    throw new KilnError("REQUEST_INVALID", `no container ${JSON.stringify(id)}`);
  }

  async releaseContainer(id: string): Promise<void> {
    const found = this.container(id);
    this.#open.delete(id);
    this.#containers.delete(id);
    await found[Symbol.asyncDispose]();
  }

  /** What the step left that an error is of, under names that containers can be made of. */
  failure(error: unknown): errdefs.Solve | undefined {
    const step = failedStep(error);
    if (step === undefined) return undefined;
    const left = this.bridge.failedWork?.(step);
    if (!left) return this.#unkept(step);
    const known = this.#failures.get(left);
    if (known) return known;
    const name = (ref: ResultRef | undefined): string => {
      if (!ref) return "";
      const id = randomUUID();
      this.#refs.set(id, { definition: undefined, solved: Promise.resolve(ref) });
      return id;
    };
    const solve = errdefs.Solve.create({
      inputIDs: left.inputs.map(name),
      mountIDs: left.states.map(name),
      op: pb.Op.decode(left.encoded),
      description: new Map(Object.entries(left.description)),
      ...(left.subject ? { subject: subjectMessage(left.subject) } : {}),
    });
    this.#failures.set(left, solve);
    return solve;
  }

  /** Where a step was written, as the definitions say that the client solved. */
  locations(step: string): readonly SourceLocation[] | undefined {
    for (const { definition } of this.#refs.values()) {
      const found = definition?.locations?.get(step as Digest);
      if (found) return found;
    }
    return undefined;
  }

  #unkept(step: Digest): errdefs.Solve | undefined {
    for (const { definition } of this.#refs.values()) {
      const op = definition?.ops.find(({ digest }) => digest === step);
      if (!op) continue;
      const description = new Map(Object.entries(op.metadata.description));
      return errdefs.Solve.create({ op: pb.Op.decode(op.bytes), description });
    }
    return undefined;
  }

  /** The client's last word. Later ones are ignored. Throws where it makes no sense. */
  return(result: gateway.Result | undefined, error: rpc.Status | undefined): void {
    if (error && error.code !== 0) {
      // The reference reads details from the last to the first, and writes them down again.
      const details = [...error.details].reverse();
      this.#settle.reject(new StatusError(error.code, error.message, details));
      return;
    }
    this.#settle.resolve(this.#frontendResult(result ?? gateway.Result.create()));
  }

  #known(id: string): Known {
    if (id === "") return { definition: undefined };
    const known = this.#refs.get(id);
    if (known) return known;
    throw new KilnError("REQUEST_INVALID", `no such ref: ${id}`);
  }

  #frontendResult(message: gateway.Result): FrontendResult {
    const { parts, ...rest } = readResult(message, () => this.#native());
    const known = (id: string) => this.#known(id).definition;
    const platforms = parts.map(({ ref, ...part }): PlatformResult => {
      const attestations = readAttestationMessages(message.attestations.get(part.id), known);
      return {
        ...part,
        definition: known(ref.id),
        ...(attestations.length > 0 ? { attestations } : {}),
      };
    });
    return { ...rest, platforms };
  }

  #native(): Platform {
    const [native] = this.bridge.platforms;
    if (!native) throw new Error("no platform can be built here");
    return native;
  }
}

function failedStep(error: unknown): Digest | undefined {
  const step = isKilnError(error) ? error.details["vertex"] : undefined;
  return typeof step === "string" ? (step as Digest) : undefined;
}

function subjectMessage({
  kind,
  index,
}: NonNullable<FailedWork["subject"]>): NonNullable<errdefs.Solve["subject"]> {
  return { $case: kind === "file" ? "file" : "cache", value: { index } };
}
