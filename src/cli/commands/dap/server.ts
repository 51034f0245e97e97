// The debug adapter: requests of an editor on one side, a build that stops and goes on on the other.
import { resolve } from "node:path";
import type { Container, ResultRef } from "../../../api/index.ts";
import { type Call, EventQueue, isKilnError, KilnError } from "../../../base/index.ts";
import type { DebugTarget } from "../debug/target.ts";
import type { DebuggerOptions, Going, Stop } from "./debugger.ts";
import { type DapRequest, frameMessage } from "./messages.ts";
import { ancestry, type Instruction } from "./program.ts";
import { Variables } from "./variables.ts";

/** What an editor's launch configuration may say besides what the command line does. */
export interface Launch {
  readonly dockerfile?: string;
  readonly contextPath?: string;
  readonly target?: string;
  readonly stopOnEntry: boolean;
}

/** There is one thread: instructions run one after the other while they are looked at. */
const threadId = 1;
/** Characters of a command's output that are answered. */
const maxOutput = 256 << 10;
const goings: readonly Going[] = ["continue", "next", "stepIn", "stepOut"];

type Arguments = DapRequest["arguments"];
type Answer = Readonly<Record<string, unknown>> | undefined;

interface Standing {
  readonly stop: Stop;
  readonly go: (going: Going) => void;
  readonly frames: readonly Instruction[];
  target?: Promise<DebugTarget>;
}

/** One editor's conversation. `cwd` is where relative paths begin. */
export class DapServer {
  readonly #out = new EventQueue<Uint8Array>();
  readonly #variables = new Variables();
  readonly #lines = new Map<string, readonly number[]>();
  readonly #cwd: string;
  readonly #launched = new EventQueue<Launch>();
  #seq = 0;
  #launch: Launch | undefined;
  #pausesOnFailure = true;
  #standing: Standing | undefined;
  #end = () => {};
  /** Resolves when the editor has had enough. */
  readonly ended: Promise<void>;
  /** The Dockerfile whose lines count. */
  dockerfile = "";

  constructor(cwd: string) {
    this.#cwd = cwd;
    this.ended = new Promise((done) => {
      this.#end = done;
    });
  }

  /** What goes to the editor. */
  get messages(): AsyncIterable<Uint8Array> {
    return this.#out;
  }

  /** The launch, once the editor is done with its breakpoints. */
  async launch(): Promise<Launch | undefined> {
    for await (const one of this.#launched) return one;
    return undefined;
  }

  /** For the build: where it stops, and who is told. */
  get options(): DebuggerOptions {
    return {
      lines: () => this.#lines.get(this.dockerfile) ?? [],
      stopOnEntry: () => this.#launch?.stopOnEntry ?? false,
      stopOnFailure: () => this.#pausesOnFailure,
      stopped: (stop) => this.#stopped(stop),
    };
  }

  output(text: string): void {
    this.#event("output", { category: "stdout", output: text });
  }

  /** The build is over. */
  finish(exitCode: number): void {
    this.#event("thread", { reason: "exited", threadId });
    this.#event("exited", { exitCode });
    this.#event("terminated", undefined);
  }

  close(): void {
    this.#launched.end();
    this.#out.end();
    this.#end();
  }

  /** Answers one request. Mistakes are answered too. */
  async take({ seq, command, arguments: given }: DapRequest, call: Call): Promise<void> {
    const answer = { type: "response", request_seq: seq, command };
    try {
      const body = await this.#answer(command, given, call);
      this.#send({ ...answer, success: true, ...(body ? { body } : {}) });
      if (command === "initialize") this.#event("initialized", undefined);
      if (command === "disconnect" || command === "terminate") this.#end();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const format = isKilnError(error) && error.hint ? `${message} (${error.hint})` : message;
      const body = { error: { id: 1, format, showUser: true } };
      this.#send({ ...answer, success: false, message, body });
    }
  }

  async #answer(command: string, given: Arguments, call: Call): Promise<Answer> {
    if (goings.some((one) => one === command)) return this.#go(command as Going);
    switch (command) {
      case "initialize":
        return capabilities;
      case "launch":
        this.#launch = launchOf(given);
        return undefined;
      case "setBreakpoints":
        return this.#setBreakpoints(given);
      case "setExceptionBreakpoints": {
        const filters = given["filters"];
        this.#pausesOnFailure = Array.isArray(filters) && filters.length > 0;
        return { breakpoints: [] };
      }
      case "configurationDone":
        if (this.#launch) this.#launched.push(this.#launch);
        this.#event("thread", { reason: "started", threadId });
        return undefined;
      case "threads":
        return { threads: [{ id: threadId, name: "build" }] };
      case "stackTrace":
        return this.#stackTrace();
      case "scopes":
        return await this.#scopes(given, call);
      case "variables":
        return {
          variables: await this.#variables.read(numberOf(given, "variablesReference"), call),
        };
      case "evaluate":
        return await this.#evaluate(given, call);
      case "disconnect":
      case "terminate":
        return undefined;
      default:
        throw new KilnError(
          "UNSUPPORTED",
          `the debug adapter does not know ${command.slice(0, 100)}`,
        );
    }
  }

  #go(going: Going): Answer {
    const { go } = this.#stands();
    this.#standing = undefined;
    this.#variables.clear();
    go(going);
    return going === "continue" ? { allThreadsContinued: true } : undefined;
  }

  #setBreakpoints({ source, breakpoints }: Arguments): Answer {
    const path = (source as { path?: unknown } | undefined)?.path;
    if (typeof path !== "string" || !Array.isArray(breakpoints))
      throw new KilnError("REQUEST_INVALID", "breakpoints without a file");
    const lines = breakpoints.map((one: unknown) => numberOf(one as Arguments, "line"));
    this.#lines.set(resolve(this.#cwd, path), lines);
    return { breakpoints: lines.map((line) => ({ verified: true, line })) };
  }

  #stackTrace(): Answer {
    const { frames } = this.#stands();
    const source = { name: this.dockerfile.split("/").at(-1), path: this.dockerfile };
    const stackFrames = frames.map(({ name, line, endLine }, at) => ({
      id: at + 1,
      name,
      source,
      line,
      column: 1,
      endLine,
      endColumn: 1,
    }));
    return { stackFrames, totalFrames: stackFrames.length };
  }

  /** Files are those of where the build stands; of instructions before it only the arguments are told. */
  async #scopes(given: Arguments, call: Call): Promise<Answer> {
    const at = numberOf(given, "frameId") - 1;
    const frame = this.#stands().frames[at];
    if (!frame) throw new KilnError("REQUEST_INVALID", "there is no such frame");
    const files = at === 0 ? await this.#files(call) : undefined;
    const scope = (name: string, variablesReference: number, hint: string, expensive: boolean) => ({
      name,
      variablesReference,
      presentationHint: hint,
      expensive,
    });
    return {
      scopes: [
        scope("Arguments", this.#variables.argumentsOf(frame), "arguments", false),
        ...(files
          ? [scope("File Explorer", this.#variables.filesOf(files, "/"), "locals", true)]
          : []),
      ],
    };
  }

  async #files(call: Call): Promise<ResultRef | undefined> {
    return (await this.#target(call)).files;
  }

  /** A command of a shell in the files where the build stands; what it changes is thrown away. */
  async #evaluate(given: Arguments, call: Call): Promise<Answer> {
    const { expression } = given;
    if (typeof expression !== "string" || expression.trim() === "")
      throw new KilnError("REQUEST_INVALID", "there is nothing to run");
    const target = await this.#target(call);
    await using container: Container = await target.open({ initial: false }, call);
    const text = new TextDecoder();
    let output = "";
    const running = container.start(
      {
        op: target.process(["/bin/sh", "-c", expression]),
        output(_stream, data) {
          if (output.length < maxOutput) output += text.decode(data, { stream: true });
        },
      },
      call,
    );
    const code = await running.exit;
    const result = `${output.slice(0, maxOutput)}${code === 0 ? "" : `\nexit code: ${code}`}`;
    return { result, variablesReference: 0 };
  }

  #target(call: Call): Promise<DebugTarget> {
    const standing = this.#stands();
    standing.target ??= standing.stop.target(call);
    return standing.target;
  }

  #stands(): Standing {
    if (this.#standing) return this.#standing;
    throw new KilnError("REQUEST_INVALID", "the build is not stopped");
  }

  #stopped(stop: Stop): Promise<Going> {
    return new Promise((go) => {
      this.#standing = { stop, go, frames: ancestry(stop.all, stop.instruction) };
      this.#event("stopped", {
        reason: stop.reason,
        threadId,
        allThreadsStopped: true,
        ...(stop.error === undefined ? {} : { description: "the step failed", text: stop.error }),
      });
    });
  }

  #event(event: string, body: object | undefined): void {
    this.#send({ type: "event", event, ...(body ? { body } : {}) });
  }

  #send(message: object): void {
    this.#seq++;
    this.#out.push(frameMessage({ seq: this.#seq, ...message }));
  }
}

const capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsTerminateRequest: true,
  supportsEvaluateForHovers: false,
  exceptionBreakpointFilters: [{ filter: "failure", label: "Failed steps", default: true }],
} as const;

function launchOf(given: Arguments): Launch {
  const text = (key: "dockerfile" | "contextPath" | "target") => {
    const value = given[key];
    return typeof value === "string" && value !== "" ? { [key]: value } : {};
  };
  return {
    ...text("dockerfile"),
    ...text("contextPath"),
    ...text("target"),
    stopOnEntry: given["stopOnEntry"] === true,
  };
}

function numberOf(given: Arguments, key: string): number {
  const value = given[key];
  if (typeof value === "number") return value;
  throw new KilnError("REQUEST_INVALID", `${key} is no number`);
}
