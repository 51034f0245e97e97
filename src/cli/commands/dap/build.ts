// kiln dap build: a build that an editor looks into, by the Debug Adapter Protocol on standard input and output.
import { join, resolve } from "node:path";
import { abortReason, type Call, EventQueue } from "../../../base/index.ts";
import type { Flags } from "../../flags/index.ts";
import type { Output } from "../../report/index.ts";
import { type BuildFlags, buildFlags } from "../build/flags.ts";
import { openBuilder } from "../builders/builder.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { driveDebugged } from "./debugger.ts";
import { readRequests } from "./messages.ts";
import { DapServer, type Launch } from "./server.ts";

export const dapBuild: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["dap", "build"],
    argsUsage: "PATH | URL | -",
    args: { min: 0, max: 1 },
    summary: "Start a build for an editor's debugger",
    about:
      "Speaks the Debug Adapter Protocol on standard input and output, and takes the flags of 'kiln build'. The build stops before instructions with breakpoints and where a step fails; there an editor sees the stack of instructions, their arguments and the files, and runs commands in them. A launch configuration may have dockerfile, contextPath, target and stopOnEntry.",
    examples: [{ what: "As an editor starts it", run: "kiln dap build ." }],
    flags: buildFlags,
  },
  async run(given, args, world) {
    const server = new DapServer(world.cwd);
    const over = new AbortController();
    const call: Call = { signal: AbortSignal.any([world.call.signal, over.signal]) };
    const written = write(server, world.stdout);
    const answered = answer(server, world, call).finally(() => server.close());
    void server.ended.then(() => over.abort(abortReason("the editor has left")));
    const launch = await server.launch();
    const code = launch
      ? await runLaunched(
          server,
          launch,
          { given: given as unknown as Flags<BuildFlags>, args },
          {
            ...world,
            call,
          },
        )
      : 0;
    if (launch) server.finish(code);
    await Promise.race([server.ended, answered]);
    server.close();
    await written;
    return code;
  },
});

async function write(server: DapServer, stdout: Output): Promise<void> {
  for await (const message of server.messages) stdout.write(message);
}

/** Requests are answered side by side: an editor asks for variables while a command runs. */
async function answer(server: DapServer, { stdin }: RunWorld, call: Call): Promise<void> {
  const answers = new Set<Promise<void>>();
  for await (const request of readRequests(stdin)) {
    const answering = server.take(request, call);
    answers.add(answering);
    void answering.finally(() => answers.delete(answering));
  }
  await Promise.allSettled(answers);
}

interface Given {
  readonly given: Flags<BuildFlags>;
  readonly args: readonly string[];
}

/** The exit code; what the build says goes to the editor. */
async function runLaunched(
  server: DapServer,
  launch: Launch,
  { given, args }: Given,
  world: RunWorld,
): Promise<number> {
  const { values } = given;
  const context = launch.contextPath ?? args[0] ?? ".";
  const file = launch.dockerfile ?? values.file;
  server.dockerfile = resolve(world.cwd, file === "" ? join(context, "Dockerfile") : file);
  const flags: Flags<BuildFlags> = {
    values: {
      ...values,
      file,
      target: launch.target ?? values.target,
      progress: "plain",
    },
    given: (name) => given.given(name),
  };
  const { runBuild } = await import("../build/run.ts");
  try {
    return await runBuild(flags, [context], debuggedWorld(server, world));
  } catch (error) {
    server.output(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

function debuggedWorld(server: DapServer, world: RunWorld): RunWorld {
  const text = new TextDecoder();
  const say: Output = {
    ...world.stderr,
    isTerminal: false,
    columns: 80,
    rows: 24,
    write: (chunk) => server.output(typeof chunk === "string" ? chunk : text.decode(chunk)),
  };
  const nothing = new EventQueue<Uint8Array>();
  nothing.end();
  return {
    ...world,
    stdin: Object.assign(nothing, { isTerminal: false }),
    stdout: say,
    stderr: say,
    async openBuilder() {
      const builder = await openBuilder(world);
      return {
        ...builder,
        build: (request, session, call) =>
          builder.build(
            {
              ...request,
              drive: (bridge, during) => driveDebugged(request, server.options, bridge, during),
            },
            session,
            call,
          ),
        [Symbol.asyncDispose]: () => builder[Symbol.asyncDispose](),
      };
    },
  };
}
