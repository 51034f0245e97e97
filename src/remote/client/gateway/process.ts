// One process in a container of a build elsewhere: a stream of ExecProcess.
import type { ContainerProcess, RunningProcess, TerminalSize } from "../../../api/index.ts";
import { abortReason, type Call, KilnError } from "../../../base/index.ts";
import type { gateway } from "../../../formats/proto/index.ts";
import { fromStatus, Outbox, StatusError } from "../../grpc/index.ts";
import { initMessage } from "./exec-messages.ts";

/** How processes are run: LLBBridge's method, with the build's name in the metadata. */
export type Exec = (
  messages: AsyncIterable<gateway.ExecMessage>,
  call: Call,
) => AsyncIterable<gateway.ExecMessage>;

/** Names processes on a stream; there is one on each. */
const processId = "1";

/** A process elsewhere. */
export interface RemoteProcess extends RunningProcess {
  /** Resolves when it runs: only then can others be started beside it. Rejects as `exit` does where it never did. */
  readonly started: Promise<unknown>;
}

/** Starts it at once. It dies when the call is cancelled. */
export function startProcess(
  exec: Exec,
  containerId: string,
  process: ContainerProcess,
  call: Call,
): RemoteProcess {
  const over = new AbortController();
  const during: Call = { signal: AbortSignal.any([call.signal, over.signal]) };
  const outbox = new Outbox<gateway.ExecMessage>();
  const send = (input: NonNullable<gateway.ExecMessage["Input"]>) =>
    outbox.put({ ProcessID: processId, Input: input });
  const resize = ({ rows, columns }: TerminalSize) =>
    void send({ $case: "Resize", value: { Rows: rows, Cols: columns } });
  void send({ $case: "Init", value: initMessage(containerId, process) });
  if (process.terminal) resize(process.terminal);
  let runs = () => {};
  const running = new Promise<void>((resolve) => {
    runs = resolve;
  });
  const exit = (async () => {
    try {
      let ended: gateway.ExitMessage | undefined;
      for await (const { Input: input } of exec(outbox, during)) {
        if (input?.$case === "Started") {
          runs();
          feed(process.input, send).catch(() => {});
        } else if (input?.$case === "File") await take(process, input.value);
        else if (input?.$case === "Exit") ended = input.value;
        else if (input?.$case === "Done") break;
      }
      return exitCode(ended);
    } catch (error) {
      call.signal.throwIfAborted();
      throw error instanceof StatusError ? fromStatus(error) : error;
    } finally {
      outbox.end();
      over.abort(abortReason("the process has ended"));
    }
  })();
  exit.catch(() => {});
  const started = Promise.race([running, exit]);
  started.catch(() => {});
  return {
    exit,
    started,
    resize,
    signal: (name) => void send({ $case: "Signal", value: { Name: name.replace(/^SIG/, "") } }),
  };
}

/** Input goes along as it comes; the process's death makes what is left of no interest. */
async function feed(
  input: ContainerProcess["input"],
  send: (input: NonNullable<gateway.ExecMessage["Input"]>) => Promise<void>,
): Promise<void> {
  const file = (Data: Uint8Array, EOF: boolean) =>
    send({ $case: "File", value: { Fd: 0, EOF, Data } });
  try {
    for await (const chunk of input ?? []) await file(chunk, false);
  } finally {
    await file(new Uint8Array(), true);
  }
}

async function take({ output }: ContainerProcess, { Fd, Data }: gateway.FdMessage): Promise<void> {
  if (Data.length > 0 && (Fd === 1 || Fd === 2)) await output(Fd, Data);
}

/** A process that ran has a code, good or bad; the builder's own failures have none but a status. */
function exitCode(ended: gateway.ExitMessage | undefined): number {
  if (!ended)
    throw new KilnError("BUILDER_FAILED", "the builder did not say how the process ended");
  const { Code, Error: status } = ended;
  if (!status || status.code === 0 || /exit (code|status)/.test(status.message)) return Code;
  if (Code !== 0 && Code < unknownExit) return Code;
  throw fromStatus(new StatusError(status.code, status.message, status.details));
}

/** The code of what did not run (gateway.proto's UnknownExitStatus). */
const unknownExit = 255;
