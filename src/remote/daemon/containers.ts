// Containers of builds that are driven over the wire: NewContainer and its kin of LLBBridge.
import type { Container, ResultRef, TerminalSize } from "../../api/index.ts";
import { type Call, KilnError } from "../../base/index.ts";
import { decodeExec } from "../../formats/llb/index.ts";
import { type gateway, pb } from "../../formats/proto/index.ts";
import { asStatus, type Implementation, Outbox, type ServerCall } from "../grpc/index.ts";
import { readPlatform } from "../session/index.ts";
import { ProcessInput } from "./container-input.ts";
import type { DrivenBuild } from "./driven-build.ts";
import { entriesOf, readFileOf, statFileOf } from "./read-files.ts";

type Bridge = Implementation<typeof gateway.LLBBridgeDefinition>;
type On = <T>(call: ServerCall, work: (build: DrivenBuild) => Promise<T> | T) => Promise<T>;
type Methods = Pick<
  Bridge,
  | "newContainer"
  | "releaseContainer"
  | "execProcess"
  | "readFileContainer"
  | "readDirContainer"
  | "statFileContainer"
>;

/** Processes that one stream may start. */
const maxProcesses = 64;

/** The methods; `on` finds the build and tells failures in the reference's form. */
export function containerMethods(
  on: On,
  buildOf: (call: ServerCall) => Promise<DrivenBuild>,
): Methods {
  const files = <T>(
    call: ServerCall,
    { id, mount }: { readonly id: string; readonly mount: number },
    work: (files: ResultRef) => Promise<T>,
  ): Promise<T> =>
    on(call, async (build) => {
      const files = build.container(id).files[mount];
      if (!files) throw invalid(`mount ${mount} of the container has no files to read`);
      return await work(files);
    });
  return {
    newContainer: (request, call) =>
      on(call, async (build) => {
        await build.openContainer(request.ContainerID, () => open(request, build));
        return {};
      }),
    releaseContainer: ({ ContainerID }, call) =>
      on(call, async (build) => {
        await build.releaseContainer(ContainerID);
        return {};
      }),
    execProcess: (requests, call) => exec(requests, () => buildOf(call), call),
    readFileContainer: ({ Ref: id, FilePath, Range, MountIndex: mount }, call) =>
      files(call, { id, mount }, async (found) => {
        return { Data: await readFileOf(found, FilePath, Range, call) };
      }),
    readDirContainer: ({ Ref: id, DirPath, IncludePattern, MountIndex: mount }, call) =>
      files(call, { id, mount }, async (found) => {
        return { entries: await entriesOf(found, DirPath, IncludePattern, call) };
      }),
    statFileContainer: ({ Ref: id, Path, MountIndex: mount }, call) =>
      files(call, { id, mount }, async (found) => {
        return { stat: await statFileOf(found, Path, call) };
      }),
  };
}

/** Mounts are those of an exec op, whose inputs are results of the build. */
async function open(request: gateway.NewContainerRequest, build: DrivenBuild): Promise<Container> {
  const { Mounts, Network, extraHosts, hostname, platform: wanted } = request;
  const message = pb.ExecOp.create({
    meta: pb.Meta.create({ args: ["-"], cwd: "/", extraHosts, hostname }),
    // Results are named by their ids; where they come from and go to is of no interest here.
    mounts: Mounts.map((one) => ({ ...one, input: -1, output: -1 })),
    network: Network,
  });
  const op = decodeExec(message, 0);
  const refs = await Promise.all(
    Mounts.map(({ resultID }) => (resultID === "" ? undefined : build.files(resultID, build.call))),
  );
  const platform = readPlatform(wanted);
  return await build.bridge.container({ op, refs, ...(platform ? { platform } : {}) }, build.call);
}

/** One stream for the processes of a client; they die with it. */
async function* exec(
  requests: AsyncIterable<gateway.ExecMessage>,
  findBuild: () => Promise<DrivenBuild>,
  call: Call,
): AsyncIterable<gateway.ExecMessage> {
  const build = await findBuild();
  const over = new AbortController();
  const outbox = new Outbox<gateway.ExecMessage>();
  const processes = new Map<string, Process>();
  const during: Call = { signal: AbortSignal.any([call.signal, over.signal]) };
  const reading = (async () => {
    for await (const message of requests) {
      const { ProcessID: id, Input: input } = message;
      if (input?.$case === "Init") {
        if (processes.has(id)) throw invalid(`process ${id} has been started already`);
        if (processes.size >= maxProcesses) throw invalid(`more than ${maxProcesses} processes`);
        processes.set(id, startProcess(id, input.value, { build, outbox }, during));
      } else await processes.get(id)?.take(input);
    }
    for (const one of processes.values()) one.inputEnds();
    await Promise.allSettled(Array.from(processes.values(), ({ done }) => done));
    outbox.end();
  })().catch((error: unknown) => outbox.end(error));
  try {
    yield* outbox;
  } finally {
    over.abort();
    outbox.end();
    void reading;
  }
}

function invalid(message: string): KilnError {
  return new KilnError("REQUEST_INVALID", message);
}

interface Process {
  readonly done: Promise<void>;
  take(input: gateway.ExecMessage["Input"]): Promise<void>;
  inputEnds(): void;
}

/** The exit code of what did not run (gateway.proto's UnknownExitStatus). */
const unknownExit = 255;
/** Milliseconds in which the size of a terminal is told after its start, so that the program sees no other one. */
const sizePatience = 50;

function startProcess(
  id: string,
  init: gateway.InitMessage,
  { build, outbox }: { readonly build: DrivenBuild; readonly outbox: Outbox<gateway.ExecMessage> },
  call: Call,
): Process {
  const stdin = new ProcessInput();
  const send = (input: gateway.ExecMessage["Input"]) => outbox.put({ ProcessID: id, Input: input });
  const file = (Fd: number, Data: Uint8Array, EOF = false) =>
    send({ $case: "File", value: { Fd, Data, EOF } });
  let size: TerminalSize | undefined;
  let tellSize = () => {};
  let running: ReturnType<Container["start"]> | undefined;
  const run = async (): Promise<number> => {
    if (init.Tty && !size)
      await new Promise<void>((resolve) => {
        tellSize = resolve;
        setTimeout(resolve, sizePatience);
      });
    await send({ $case: "Started", value: {} });
    const op = processOf(init);
    const container = build.container(init.ContainerID);
    const hasInput = init.Fds.includes(0);
    running = container.start(
      {
        op,
        ...(init.Tty ? { terminal: size ?? { rows: 24, columns: 80 } } : {}),
        ...(hasInput ? { input: stdin } : {}),
        output: (stream, data) => (init.Fds.includes(stream) ? file(stream, data) : undefined),
      },
      call,
    );
    return await running.exit;
  };
  const done = (async () => {
    let code = 0;
    let failure: unknown;
    try {
      code = await run();
    } catch (error) {
      failure = error;
    }
    stdin.end();
    for (const fd of [1, 2]) if (init.Fds.includes(fd)) await file(fd, new Uint8Array(), true);
    const status = failure === undefined ? exitStatus(code) : failureStatus(failure);
    await send({
      $case: "Exit",
      value: { Code: failure === undefined ? code : unknownExit, Error: status },
    });
    await send({ $case: "Done", value: {} });
  })();
  done.catch(() => {});
  return {
    done,
    inputEnds: () => stdin.end(),
    async take(input) {
      if (input?.$case === "Resize") {
        size = { rows: input.value.Rows, columns: input.value.Cols };
        tellSize();
        running?.resize(size);
      } else if (input?.$case === "Signal") running?.signal(signalName(input.value.Name));
      else if (input?.$case === "File" && input.value.Fd === 0) {
        if (input.value.Data.length > 0) await stdin.put(input.value.Data);
        if (input.value.EOF) stdin.end();
      }
    },
  };
}

function processOf({ Meta, Security, secretenv }: gateway.InitMessage) {
  if (!Meta) throw invalid("a process without a description (Meta)");
  return decodeExec(
    pb.ExecOp.create({
      meta: { ...Meta, cwd: Meta.cwd === "" ? "/" : Meta.cwd },
      mounts: [pb.Mount.create({ dest: "/", input: -1, output: -1 })],
      security: Security,
      secretenv,
    }),
    0,
  );
}

function signalName(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith("SIG") ? upper : `SIG${upper}`;
}

/** A bad exit is an error too, in the reference's words. */
function exitStatus(code: number): gateway.ExitMessage["Error"] {
  if (code === 0) return undefined;
  return { code: 2, message: `exit code: ${code}`, details: [] };
}

function failureStatus(error: unknown): gateway.ExitMessage["Error"] {
  const { code, message, details } = asStatus(error);
  return { code, message, details: [...details] };
}
