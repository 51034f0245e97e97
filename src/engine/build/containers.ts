// Containers of one build: what they may do, what runs in them, and the steps that failed and can be entered.
import type {
  BuildEvent,
  Container,
  ContainerProcess,
  ContainerRequest,
  FailedStep,
  FailedWork,
  ResultRef,
  RunningProcess,
  Session,
  StepCall,
} from "../../api/index.ts";
import {
  AsyncStack,
  abortReason,
  type Call,
  type Digest,
  digestOf,
  KilnError,
} from "../../base/index.ts";
import type { LlbVertex } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { ProcessControl } from "../executor/index.ts";
import {
  type ContainerParts,
  type FailedExec,
  type OpenContainer,
  type OpResult,
  openContainer,
} from "../ops/index.ts";
import { checkPrivileges, type Grants } from "./entitlements.ts";

/** Containers that one build may have at once, and processes of one of them. */
const maxContainers = 64;
const maxProcesses = 64;
/** Failed steps whose files are kept. */
const maxFailed = 64;

export interface BuildContainersParts extends ContainerParts {
  readonly session: Session;
  readonly granted: Grants;
  /** The result behind a reference; throws for one that is not of this build. */
  readonly resultOf: (ref: ResultRef) => OpResult;
  readonly refOf: (result: OpResult) => ResultRef | undefined;
  readonly refOfView: (view: NonNullable<OpenContainer["views"][number]>) => ResultRef;
  readonly native: Platform;
}

/** Disposing it ends all containers, and lets go of what failed steps left. */
export interface BuildContainers extends AsyncDisposable {
  open(request: ContainerRequest, call: Call): Promise<Container>;
  /** In the order in which they failed. */
  readonly failures: readonly FailedStep[];
  /** What is left of the last failure of a step. */
  work(step: Digest): FailedWork | undefined;
  /** Takes what a failed step left. */
  failed(vertex: LlbVertex, failed: FailedExec): void;
}

export function buildContainers(parts: BuildContainersParts): BuildContainers {
  const failures: FailedStep[] = [];
  const works = new Map<Digest, FailedWork>();
  const open = new Set<Container>();
  const kept = new AsyncStack();
  return {
    failures,
    work: (step) => works.get(step),
    failed(vertex, { subject, ...left }) {
      for (const result of [...left.states, ...left.inputs]) if (result) kept.use(result);
      const { digest: step, encoded, metadata, name, op } = vertex;
      const states = left.states.map(parts.refOf);
      const inputs = left.inputs.map(parts.refOf);
      if (works.size < maxFailed || works.has(step)) {
        const { description } = metadata;
        works.set(step, {
          step,
          encoded,
          description,
          states,
          inputs,
          ...(subject ? { subject } : {}),
        });
      }
      if (op.kind !== "exec" || failures.length >= maxFailed || subject) return;
      const platform = vertex.platform ?? parts.native;
      failures.push({ step, name, op, encoded, platform, states, inputs });
    },
    async open(request, call) {
      if (open.size >= maxContainers)
        throw new KilnError(
          "REQUEST_INVALID",
          `more than ${maxContainers} containers in one build`,
        );
      const { network } = request.op;
      const privileges = { network: network === "sandbox" ? "default" : network } as const;
      checkPrivileges({ ...privileges, security: "sandbox" }, parts.granted);
      const run = {
        request,
        results: request.op.mounts.map((_, at) => {
          const ref = request.refs[at];
          return ref && parts.resultOf(ref);
        }),
        platform: request.platform ?? parts.native,
        session: parts.session,
      };
      const files = await openContainer(run, parts, call);
      const container = containerOver(files, parts, () => open.delete(container));
      open.add(container);
      return container;
    },
    async [Symbol.asyncDispose]() {
      for (const one of [...open]) await one[Symbol.asyncDispose]();
      await kept[Symbol.asyncDispose]();
    },
  };
}

function containerOver(
  files: OpenContainer,
  { granted, refOfView }: BuildContainersParts,
  closed: () => void,
): Container {
  const over = new AbortController();
  const running = new Set<Promise<number>>();
  let ended = false;
  const start = (process: ContainerProcess, call: Call): RunningProcess => {
    checkPrivileges({ network: "default", security: process.op.security }, granted);
    if (ended) throw new KilnError("REQUEST_INVALID", "the container has ended");
    if (running.size >= maxProcesses)
      throw new KilnError("REQUEST_INVALID", `more than ${maxProcesses} processes in a container`);
    const isFirst = running.size === 0;
    const control: { now?: ProcessControl } = {};
    const signal = AbortSignal.any([call.signal, over.signal]);
    const exit = files.run(
      process,
      (told) => {
        control.now = told;
      },
      silent(process, { signal }),
    );
    running.add(exit);
    const left = () => {
      running.delete(exit);
      if (!isFirst) return;
      ended = true;
      over.abort(abortReason("the container's first process has ended"));
    };
    exit.then(left, left);
    return {
      exit,
      signal: (name) => control.now?.signal(name),
      resize: (size) => control.now?.resize(size),
    };
  };
  return {
    start,
    files: files.views.map((view) => view && refOfView(view)),
    async [Symbol.asyncDispose]() {
      ended = true;
      over.abort(abortReason("the container was released"));
      await Promise.allSettled(running);
      closed();
      await files[Symbol.asyncDispose]();
    },
  };
}

/** What a container says goes to whoever started it, and is no step's log. */
function silent({ op }: ContainerProcess, { signal }: Call): StepCall {
  const emit = (_event: BuildEvent): void => {};
  return { signal, step: digestOf(`container ${op.args.join(" ")}`), emit };
}
