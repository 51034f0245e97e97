// A file system that has been described but not built, with what a process in it would see.
import { posix } from "node:path";
import { normalizePlatform, type Platform } from "../oci/index.ts";
import type { Definition } from "./definition.ts";
import { ExecVertex, type RunOptions } from "./exec.ts";
import { type CopyStep, type FileStep, FileVertex } from "./file.ts";
import { DiffVertex, MergeVertex } from "./layers.ts";
import { type MarshalOptions, marshalOutput } from "./marshal.ts";
import {
  type GitOptions,
  gitVertex,
  type HttpOptions,
  httpVertex,
  type ImageOptions,
  imageVertex,
  type LocalOptions,
  localVertex,
  type OciLayoutOptions,
  ociLayoutVertex,
} from "./source.ts";
import { noVariables, type VariableSet, type Variables } from "./variables.ts";
import type { Constraints, Output, Vertex } from "./vertex.ts";

/** Immutable: every method returns a new state. */
export interface State {
  /** Undefined is the empty file system. */
  readonly output: Output | undefined;
  readonly workingDir: string;
  /** In the order in which they were last set. */
  readonly variables: VariableSet;
  readonly userName: string;
  /** What its ops run on; undefined where the definition as a whole says. */
  readonly ownPlatform: Platform | undefined;
  dir(path: string): State;
  env(name: string, value: string): State;
  user(name: string): State;
  platform(platform: Platform): State;
  /** The file system as the process leaves it. */
  run(args: readonly string[], options?: RunOptions): State;
  /** The file system with the steps done, in one op. */
  file(steps: readonly FileStep[], constraints?: Constraints): State;
  copy(from: State, source: string, target: string, options?: CopyOptions): State;
  /** The same words about other files. */
  withOutput(output: Output | undefined): State;
  /** The graph up to here in BuildKit's wire format, inputs before users. */
  marshal(options: MarshalOptions): Definition;
}

export type CopyOptions = Omit<CopyStep, "kind" | "from" | "src" | "dest"> & Constraints;

/** The empty file system. */
export function scratch(): State {
  return empty;
}

/** An image by its normalised name. */
export function image(reference: string, options: ImageOptions = {}): State {
  return fromVertex(imageVertex(reference, options), options.platform);
}

/** A directory that the asking side lends. */
export function local(name: string, options: LocalOptions = {}): State {
  return fromVertex(localVertex(name, options));
}

/** A commit's files. */
export function git(id: string, options: GitOptions): State {
  return fromVertex(gitVertex(id, options));
}

/** A file behind a URL, as the only one of a directory. */
export function http(url: string, options: HttpOptions = {}): State {
  return fromVertex(httpVertex(url, options));
}

/** An image in an OCI layout that the asking side lends. */
export function ociLayout(reference: string, options: OciLayoutOptions = {}): State {
  return fromVertex(ociLayoutVertex(reference, options), options.platform);
}

/** File systems laid over one another, later over earlier; those that are empty do not count. */
export function merge(states: readonly State[], constraints: Constraints = {}): State {
  const outputs = states.flatMap(({ output }) => (output === undefined ? [] : [output]));
  const [first] = outputs;
  if (outputs.length < 2) return first === undefined ? scratch() : scratch().withOutput(first);
  return fromVertex(new MergeVertex(outputs, constraints));
}

/** What `upper` has that `lower` has not. */
export function diff(lower: State, upper: State, constraints: Constraints = {}): State {
  if (lower.output === undefined) return scratch().withOutput(upper.output);
  if (upper.output === lower.output) return scratch();
  return fromVertex(new DiffVertex(lower.output, upper.output, constraints));
}

/** A state that is asked for when it is marshalled, and once: for what is known only after its users are described. */
export function deferred(make: () => State): State {
  let vertex: Vertex | undefined;
  const find = (): Vertex => {
    vertex ??= make().output?.vertex;
    if (vertex === undefined) throw new Error("a deferred state must not be empty");
    return vertex;
  };
  return scratch().withOutput({
    get vertex() {
      return find();
    },
    index: 0,
  });
}

function fromVertex(vertex: Vertex, platform?: Platform): State {
  const state = scratch().withOutput({ vertex, index: 0 });
  return platform === undefined ? state : state.platform(platform);
}

/** A class and not an object of functions: a large file makes thousands of states. */
class ValueState implements State {
  readonly output: Output | undefined;
  readonly workingDir: string;
  readonly variables: Variables;
  readonly userName: string;
  readonly ownPlatform: Platform | undefined;

  constructor(
    output: Output | undefined,
    workingDir: string,
    variables: Variables,
    userName: string,
    ownPlatform: Platform | undefined,
  ) {
    this.output = output;
    this.workingDir = workingDir;
    this.variables = variables;
    this.userName = userName;
    this.ownPlatform = ownPlatform;
  }

  dir(path: string): State {
    const dir = path.startsWith("/") ? path : posix.resolve("/", this.workingDir, path);
    return new ValueState(this.output, dir, this.variables, this.userName, this.ownPlatform);
  }

  env(name: string, value: string): State {
    const variables = this.variables.with(name, value);
    return new ValueState(this.output, this.workingDir, variables, this.userName, this.ownPlatform);
  }

  user(name: string): State {
    return new ValueState(this.output, this.workingDir, this.variables, name, this.ownPlatform);
  }

  platform(platform: Platform): State {
    // BuildKit: processes are for the platform in its usual form, whatever the image was asked for as.
    return this.#with(this.output, normalizePlatform(platform));
  }

  run(args: readonly string[], options: RunOptions = {}): State {
    const { output: root, workingDir: cwd, userName: user } = this;
    let seen = this.variables;
    for (const [name, value] of options.env ?? []) seen = seen.with(name, value);
    for (const [name, value] of agentVariable(this.variables, options))
      seen = seen.with(name, value);
    const platform = options.platform ?? this.ownPlatform;
    return this.#after(
      new ExecVertex({ root, args, env: seen.list(), cwd, user, platform, options }),
    );
  }

  file(steps: readonly FileStep[], constraints: Constraints = {}): State {
    const { output: base, workingDir: dir } = this;
    const platform = constraints.platform ?? this.ownPlatform;
    return this.#after(new FileVertex({ base, dir, steps, platform, constraints }));
  }

  copy(from: State, source: string, target: string, options: CopyOptions = {}): State {
    const src = posix.join("/", source.startsWith("/") ? "" : from.workingDir, source);
    const step: CopyStep = { ...options, kind: "copy", src, dest: target, ...origin(from) };
    return this.file([step], options);
  }

  withOutput(output: Output | undefined): State {
    return this.#with(output, this.ownPlatform);
  }

  marshal(options: MarshalOptions): Definition {
    return marshalOutput(this.output, options);
  }

  #with(output: Output | undefined, platform: Platform | undefined): State {
    return new ValueState(output, this.workingDir, this.variables, this.userName, platform);
  }

  /** What was made for a platform goes on being for it. */
  #after(vertex: Vertex): State {
    return this.#with({ vertex, index: 0 }, vertex.platform);
  }
}

const empty: State = new ValueState(undefined, "/", noVariables, "", undefined);

/** Programs look for an agent's socket where this says. */
function agentVariable(env: VariableSet, { ssh }: RunOptions): [name: string, value: string][] {
  const [first] = ssh ?? [];
  return first === undefined || env.get("SSH_AUTH_SOCK") !== undefined
    ? []
    : [["SSH_AUTH_SOCK", first.target]];
}

function origin({ output }: State): { from?: Output } {
  return output === undefined ? {} : { from: output };
}
