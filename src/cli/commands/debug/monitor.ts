// Looking into a build: a shell in it, and a monitor beside the shell, with the words of buildx's.
import type { Container, RunningProcess } from "../../../api/index.ts";
import { AsyncStack, type Call, isAbortError, KilnError } from "../../../base/index.ts";
import type { RunWorld } from "../command.ts";
import { splitWords } from "../shell-split.ts";
import { SharedInput, TypedBytes } from "./input.ts";
import type { DebugTarget } from "./target.ts";
import type { Again } from "./world.ts";

const prompt = "(kiln) ";

const help = `Available commands are:
  attach [PID]          attach to a process of the container
  exec COMMAND [ARG...] run a command in the container
  exit                  leave, and end the build
  help                  show this message
  ps                    list the processes of the container
  reload                build again, with the context as it is now
  rollback [--init] [COMMAND [ARG...]]
                        a new container with the files as they were; --init: as they were before the step
`;

interface Running {
  readonly id: string;
  readonly args: readonly string[];
  readonly process: RunningProcess;
  readonly bytes: TypedBytes;
  ended: boolean;
}

/** Owns its containers; they end with it. */
export class Monitor implements AsyncDisposable {
  #target: DebugTarget;
  readonly #invoke: string;
  readonly #world: RunWorld;
  readonly #again: Again;
  readonly #call: Call;
  readonly #input: SharedInput;
  readonly #stack = new AsyncStack();
  readonly #processes = new Map<string, Running>();
  #container: Container | undefined;
  #shell: Running | undefined;
  #count = 0;

  constructor(target: DebugTarget, invoke: string, world: RunWorld, again: Again, call: Call) {
    this.#target = target;
    this.#invoke = invoke;
    this.#world = world;
    this.#again = again;
    this.#call = call;
    this.#input = new SharedInput(world.stdin);
  }

  /** Until the user leaves, or input ends. Without a terminal and with a command, that is all that runs. */
  async run(): Promise<void> {
    const { stdin, stderr } = this.#world;
    const isTerminal = stdin.isTerminal;
    if (this.#target.args.length > 0)
      stderr.write(`\nIn ${this.#target.name}\n  ${this.#target.args.join(" ")}\n`);
    if (isTerminal) stderr.write("Press Ctrl-a c to switch to the monitor\n");
    if (isTerminal || this.#invoke !== "") {
      const code = await this.#enter({ initial: false, args: this.#invokeArgs() });
      if (!isTerminal || code !== undefined) return;
    }
    for (;;) {
      if (isTerminal) stderr.write(prompt);
      const line = await this.#input.line();
      if (line === undefined || (await this.#obey(line))) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#input.attach(undefined);
    this.#input.close();
    rawMode(false);
    await this.#stack[Symbol.asyncDispose]();
  }

  #invokeArgs(): readonly string[] {
    if (this.#invoke === "" || this.#invoke === "default") return ["/bin/sh"];
    const words = splitWords(this.#invoke);
    if (words && words.length > 0) return words;
    throw new KilnError("FLAG_INVALID", `--invoke ${JSON.stringify(this.#invoke)} is no command`);
  }

  /** True to leave. Mistakes are told and forgiven. */
  async #obey(line: string): Promise<boolean> {
    const [word = "", ...args] = splitWords(line) ?? [];
    if (word === "exit") return true;
    try {
      await this.#command(word, args);
    } catch (error) {
      if (isAbortError(error)) throw error;
      this.#world.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
    }
    return false;
  }

  async #command(word: string, args: readonly string[]): Promise<void> {
    const { stderr, stdout } = this.#world;
    switch (word) {
      case "":
        return;
      case "help":
        return void stderr.write(help);
      case "exec":
        if (args.length === 0) throw new KilnError("FLAG_INVALID", "exec takes a command");
        return void (await this.#attach(this.#start(await this.#open(false), args)));
      case "attach": {
        const found = args[0] === undefined ? this.#shell : this.#processes.get(args[0]);
        if (!found || found.ended) throw new KilnError("FLAG_INVALID", "no such process");
        return void (await this.#attach(found));
      }
      case "ps": {
        const rows = [...this.#processes.values()].filter(({ ended }) => !ended);
        stdout.write("PID\tCURRENT_SESSION\tCOMMAND\n");
        for (const one of rows)
          stdout.write(`${one.id}\t${one === this.#shell}\t${one.args.join(" ")}\n`);
        return;
      }
      case "rollback": {
        const initial = args[0] === "--init";
        const command = initial ? args.slice(1) : args;
        return void (await this.#enter({
          initial,
          args: command.length > 0 ? command : this.#invokeArgs(),
        }));
      }
      case "reload":
        this.#target = await this.#again(this.#call);
        stderr.write(`built again: in ${this.#target.name}\n`);
        await this.#release();
        return;
      default:
        throw new KilnError("FLAG_INVALID", `unknown command ${word}; see help`);
    }
  }

  /** A new container with a command to begin with; answers the exit code, undefined where the user left it running. */
  async #enter({
    initial,
    args,
  }: {
    readonly initial: boolean;
    readonly args: readonly string[];
  }): Promise<number | undefined> {
    await this.#release();
    this.#shell = this.#start(await this.#open(initial), args);
    return await this.#attach(this.#shell);
  }

  async #open(initial: boolean): Promise<Container> {
    this.#container ??= this.#stack.use(await this.#target.open({ initial }, this.#call));
    return this.#container;
  }

  async #release(): Promise<void> {
    await this.#container?.[Symbol.asyncDispose]();
    this.#container = undefined;
    this.#shell = undefined;
    this.#processes.clear();
  }

  #start(container: Container, args: readonly string[]): Running {
    const { stdin, stdout, stderr } = this.#world;
    const bytes = new TypedBytes();
    const isTerminal = stdin.isTerminal && stdout.isTerminal;
    const process = container.start(
      {
        op: this.#target.process(args),
        ...(isTerminal ? { terminal: { rows: stdout.rows, columns: stdout.columns } } : {}),
        input: bytes,
        output: (stream, data) => void (stream === 1 ? stdout : stderr).write(data),
      },
      this.#call,
    );
    const running: Running = { id: `${++this.#count}`, args, process, bytes, ended: false };
    this.#processes.set(running.id, running);
    const over = () => {
      running.ended = true;
      bytes.end();
      // A container ends with its first process.
      if (this.#processes.get(running.id) !== running) return;
      this.#processes.delete(running.id);
      if (this.#processes.size === 0) this.#container = undefined;
    };
    process.exit.then(over, over);
    return running;
  }

  /** Exit code of what ended, undefined where the user left it. */
  async #attach(running: Running): Promise<number | undefined> {
    const { stdin, stdout } = this.#world;
    let leave = (_: undefined) => {};
    const left = new Promise<undefined>((resolve) => {
      leave = resolve;
    });
    const resize = () => running.process.resize({ rows: stdout.rows, columns: stdout.columns });
    // Without a terminal, lines to come are the monitor's, unless a command was asked for by a flag.
    const feeds = stdin.isTerminal || this.#invoke !== "";
    if (feeds) this.#input.attach({ bytes: running.bytes, leave: () => leave(undefined) });
    else running.bytes.end();
    rawMode(stdin.isTerminal && stdout.isTerminal);
    process.stdout.on("resize", resize);
    try {
      return await Promise.race([running.process.exit, left]);
    } finally {
      process.stdout.off("resize", resize);
      rawMode(false);
      this.#input.attach(undefined);
    }
  }
}

/** Keys go to the process as they are, also Ctrl-C. */
function rawMode(on: boolean): void {
  if (process.stdin.isTTY) process.stdin.setRawMode(on);
}
