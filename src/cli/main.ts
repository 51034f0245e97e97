// The command: arguments to a command, an error to text and exit code, Ctrl-C to cancellation.
import { abortReason } from "../base/index.ts";
import { enterIsolation, parseIsolation } from "../engine/isolation/index.ts";
import {
  pluginFailure,
  readPluginStart,
  runCommandLine,
  type World,
  watchPluginSocket,
} from "./commands/index.ts";
import {
  createStyle,
  errorText,
  exitCodeOf,
  type Output,
  parseColors,
  wantsColor,
} from "./report/index.ts";

const controller = new AbortController();

/** The first Ctrl-C cancels and lets everything be put away; the second does not wait. */
function listenToSignals(): void {
  let interrupts = 0;
  const interrupt = (signal: NodeJS.Signals) => {
    interrupts++;
    if (interrupts > 1) process.exit(130);
    controller.abort(abortReason(signal === "SIGINT" ? "interrupted" : `stopped by ${signal}`));
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  process.on("SIGHUP", interrupt);
}

function output(stream: NodeJS.WriteStream): Output {
  const isTerminal = stream.isTTY === true;
  // Whoever read our output has gone: nothing is left to say, and nobody to say it to.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
    throw error;
  });
  return {
    write: (chunk) => void stream.write(chunk),
    isTerminal,
    get columns() {
      return stream.columns || Number(process.env["COLUMNS"]) || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
    style: createStyle(
      wantsColor(isTerminal, process.env),
      parseColors(process.env["BUILDKIT_COLORS"]),
    ),
  };
}

function systemWorld(env: World["env"]): World {
  return {
    env,
    cwd: process.cwd(),
    stdin: {
      get isTerminal() {
        return process.stdin.isTTY === true;
      },
      [Symbol.asyncIterator]: () => process.stdin[Symbol.asyncIterator](),
    },
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    call: { signal: controller.signal },
    now: () => new Date(),
    enter: (isolation) =>
      enterIsolation({
        wanted: parseIsolation(isolation || process.env["KILN_ISOLATION"]),
        environment: process.env,
        command: [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
      }),
    atExit(step) {
      process.on("exit", step);
      return () => void process.off("exit", step);
    },
  };
}

async function main(): Promise<number> {
  listenToSignals();
  const start = readPluginStart(process.argv.slice(2), process.env);
  const { argv, env } = start;
  const world = systemWorld(env);
  watchPluginSocket(env, () => controller.abort(abortReason("docker has gone")));
  try {
    return await runCommandLine(argv, world);
  } catch (error) {
    const said = await pluginFailure(error, start);
    if (said) {
      world.stderr.write(said.text);
      return said.exitCode;
    }
    const debug = argv.includes("--debug") || argv.includes("-D");
    world.stderr.write(errorText(error, { style: world.stderr.style, debug }));
    return exitCodeOf(error);
  }
}

// Everything that was opened has been closed by now; idle sockets of finished requests need not keep the user waiting.
/** Resolves when all that was written has left: a pipe that a child has made non-blocking takes it later. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0 || stream.destroyed) return;
  await new Promise<void>((resolve) => {
    stream.once("close", resolve);
    stream.write("", () => resolve());
  });
}

void main().then(async (code) => {
  process.exitCode = code;
  await Promise.all([written(process.stdout), written(process.stderr)]);
  process.exit(code);
});
