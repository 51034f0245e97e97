// A file system that has been described but not built, with what a process in it would see.
import { posix } from "node:path";
import type { Platform } from "../oci/index.ts";
import type { Definition } from "./definition.ts";
import { execVertex, type RunOptions } from "./exec.ts";
import { type CopyStep, type FileStep, fileVertex } from "./file.ts";
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
import {
  type Constraints,
  distinctOutputs,
  InputList,
  type Output,
  type Vertex,
} from "./vertex.ts";

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
  return new ValueState({
    output: undefined,
    dir: "/",
    env: noVariables,
    user: "",
    platform: undefined,
  });
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
  return fromVertex({
    constraints,
    caps: ["mergeop"],
    inputs: distinctOutputs(outputs),
    encode: (scope) => ({
      inputs: outputs.map((output) => scope.input(output)),
      platformSpecific: false,
      op: { $case: "merge", value: { inputs: outputs.map((_, input) => ({ input })) } },
    }),
  });
}

/** What `upper` has that `lower` has not. */
export function diff(lower: State, upper: State, constraints: Constraints = {}): State {
  if (lower.output === undefined) return scratch().withOutput(upper.output);
  if (upper.output === lower.output) return scratch();
  return fromVertex({
    constraints,
    caps: ["diffop"],
    inputs: distinctOutputs([lower.output, upper.output]),
    encode: (scope) => {
      const inputs = new InputList(scope);
      const value = {
        lower: { input: inputs.add(lower.output) },
        upper: { input: inputs.add(upper.output) },
      };
      return { inputs: inputs.messages, platformSpecific: false, op: { $case: "diff", value } };
    },
  });
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

interface Values {
  readonly output: Output | undefined;
  readonly dir: string;
  readonly env: Variables;
  readonly user: string;
  readonly platform: Platform | undefined;
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

  constructor({ output, dir, env, user, platform }: Values) {
    this.output = output;
    this.workingDir = dir;
    this.variables = env;
    this.userName = user;
    this.ownPlatform = platform;
  }

  dir(path: string): State {
    return this.#with({
      ...this.#values(),
      dir: path.startsWith("/") ? path : posix.resolve("/", this.workingDir, path),
    });
  }

  env(name: string, value: string): State {
    return this.#with({ ...this.#values(), env: this.variables.with(name, value) });
  }

  user(name: string): State {
    return this.#with({ ...this.#values(), user: name });
  }

  platform(platform: Platform): State {
    return this.#with({ ...this.#values(), platform });
  }

  run(args: readonly string[], options: RunOptions = {}): State {
    const added = [...(options.env ?? []), ...agentVariable(this.variables, options)];
    const seen = added.reduce((before, [name, value]) => before.with(name, value), this.variables);
    const { output: root, workingDir: cwd, userName: user } = this;
    return this.#after(
      execVertex({ root, args, env: seen.list(), cwd, user, options: this.#constrained(options) }),
    );
  }

  file(steps: readonly FileStep[], constraints: Constraints = {}): State {
    const { output: base, workingDir: dir } = this;
    return this.#after(
      fileVertex({ base, dir, steps, constraints: this.#constrained(constraints) }),
    );
  }

  copy(from: State, source: string, target: string, options: CopyOptions = {}): State {
    const src = posix.join("/", source.startsWith("/") ? "" : from.workingDir, source);
    const step: CopyStep = { ...options, kind: "copy", src, dest: target, ...origin(from) };
    return this.file([step], options);
  }

  withOutput(output: Output | undefined): State {
    return this.#with({ ...this.#values(), output });
  }

  marshal(options: MarshalOptions): Definition {
    return marshalOutput(this.output, options);
  }

  #values(): Values {
    return {
      output: this.output,
      dir: this.workingDir,
      env: this.variables,
      user: this.userName,
      platform: this.ownPlatform,
    };
  }

  #with(values: Values): State {
    return new ValueState(values);
  }

  #constrained<C extends Constraints>(constraints: C): C {
    const { ownPlatform: platform } = this;
    return platform === undefined || constraints.platform !== undefined
      ? constraints
      : { ...constraints, platform };
  }

  /** What was made for a platform goes on being for it. */
  #after(vertex: Vertex): State {
    const platform = vertex.constraints.platform ?? this.ownPlatform;
    return this.#with({ ...this.#values(), output: { vertex, index: 0 }, platform });
  }
}

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
