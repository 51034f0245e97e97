// A world for commands to run in: streams that are read afterwards, a directory of its own, a builder that tells a story.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { BuildEvent, BuildRequest, BuildResult, Session, UsageRecord } from "../../../src/api/index.ts";
import { type Call, uncancelled } from "../../../src/base/index.ts";
import { runCommandLine, type World } from "../../../src/cli/commands/index.ts";
import type { Engine, RunImageRequest } from "../../../src/engine/engine.ts";
import { createStyle, errorText, exitCodeOf, type Output } from "../../../src/cli/report/index.ts";

/** What one run of the command left. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the builder was asked. */
  readonly requests: readonly BuildRequest[];
  readonly sessions: readonly Session[];
}

export interface Stage {
  /** Files below the working directory; contents by path. A path that ends in a slash is a directory. */
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly stdoutIsTerminal?: boolean;
  readonly events?: readonly BuildEvent[];
  readonly result?: BuildResult | Error;
  /** Runs while the build does, with its session. */
  readonly during?: (session: Session, call: Call) => Promise<void>;
  readonly usage?: readonly UsageRecord[];
  readonly call?: Call;
  /** Answers instead of the program that `run` starts. */
  readonly program?: (request: RunImageRequest) => Promise<number>;
}

/** Runs `argv` on a stage and cleans up; `look` sees the working directory before it goes. */
export async function runKiln(
  argv: readonly string[],
  stage: Stage = {},
  look: (directory: string) => void = () => {},
): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), "kiln-cli-"));
  try {
    for (const [path, text] of Object.entries(stage.files ?? {})) place(join(directory, path), text);
    const outcome = await run(argv, stage, directory);
    look(directory);
    return outcome;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function place(path: string, text: string): void {
  if (path.endsWith("/")) {
    mkdirSync(path, { recursive: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

async function run(argv: readonly string[], stage: Stage, cwd: string): Promise<Outcome> {
  const [stdout, stderr] = [stream(stage.stdoutIsTerminal ?? false), stream(false)];
  const requests: BuildRequest[] = [];
  const sessions: Session[] = [];
  const world: World = {
    env: { HOME: cwd, XDG_CONFIG_HOME: join(cwd, ".config"), ...stage.env },
    cwd,
    stdin: { isTerminal: false, [Symbol.asyncIterator]: () => chunks(stage.stdin ?? "") },
    stdout: stdout.out,
    stderr: stderr.out,
    call: stage.call ?? uncancelled,
    now: () => new Date(Date.UTC(2026, 0, 2)),
    atExit: () => () => {},
    openBuilder: async () => fakeBuilder(stage, requests, sessions),
  };
  const exitCode = await runCommandLine(argv, world).catch((error: unknown) => {
    stderr.out.write(errorText(error, { style: stderr.out.style, debug: false }));
    return exitCodeOf(error);
  });
  const clean = (text: string) => text.replaceAll(cwd, "DIR");
  return { exitCode, stdout: clean(stdout.text()), stderr: clean(stderr.text()), requests, sessions };
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  if (text !== "") yield new TextEncoder().encode(text);
}

function stream(isTerminal: boolean): { out: Output; text: () => string } {
  const parts: (string | Uint8Array)[] = [];
  const decode = (part: string | Uint8Array) => (typeof part === "string" ? part : new TextDecoder().decode(part));
  const style = createStyle(false);
  return {
    out: { write: (part) => void parts.push(part), isTerminal, columns: 80, rows: 24, style },
    text: () => parts.map(decode).join(""),
  };
}

function fakeBuilder(stage: Stage, requests: BuildRequest[], sessions: Session[]): Engine {
  const info = { name: "fake", version: "0", platforms: [], labels: {} };
  return {
    info: async () => info,
    build(request, session, call) {
      requests.push(request);
      sessions.push(session);
      async function* events(): AsyncGenerator<BuildEvent> {
        yield* stage.events ?? [];
      }
      async function result(): Promise<BuildResult> {
        await stage.during?.(session, call);
        call.signal.throwIfAborted();
        if (stage.result instanceof Error) throw stage.result;
        return stage.result ?? { exporterResponse: {} };
      }
      return { events: events(), result: result() };
    },
    root: "/nowhere",
    runImage: async (request) => (await stage.program?.(request)) ?? 0,
    verify: async () => [],
    diskUsage: async () => stage.usage ?? [],
    async *prune() {
      yield* stage.usage ?? [];
    },
    async [Symbol.asyncDispose]() {},
  };
}
