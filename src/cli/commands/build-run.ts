// Runs `kiln build`: flags into a plan, a session to lend, progress to show, results to deliver.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Builder, BuildRequest, BuildResult } from "../../api/index.ts";
import { AsyncStack, isKilnError, KilnError, readAll } from "../../base/index.ts";
import type { Flags } from "../flags/index.ts";
import {
  failureLines,
  type OpenDisplay,
  openDisplay,
  showProgress,
  warningBlock,
  warningLines,
} from "../progress/index.ts";
import { callAnswer } from "./build-call.ts";
import { type BuildFlags, ignoredFlags } from "./build-flags.ts";
import { type BuildPlan, planBuild } from "./build-plan.ts";
import { reportResult } from "./build-result.ts";
import { createBuildRef, openBuilder, openClientConfig } from "./builder.ts";
import { type RunWorld, sayWarning } from "./command.ts";
import { createLocalSession } from "./local-session.ts";

/** One build from its flags to its exit code. */
export async function runBuild(
  flags: Flags<BuildFlags>,
  [context = ""]: readonly string[],
  world: RunWorld,
): Promise<number> {
  await using stack = new AsyncStack();
  for (const name of ignoredFlags.filter((one) => flags.given(one)))
    sayWarning(world, `--${name} has no effect and is ignored`);
  const config = await openClientConfig(world);
  const stdinDirectory = await readStdinDockerfile(context, flags.values.file, stack, world);
  const plan = planBuild(flags, context, {
    env: world.env,
    cwd: world.cwd,
    stdoutIsTerminal: world.stdout.isTerminal,
    proxyArgs: config.proxyArgs(),
    stdinDirectory,
  });
  const builder = stack.use(await openBuilder(world));
  const opened = await openDisplay(plan.progress, world.stderr, world);
  const ref = createBuildRef();
  const result = await runPlan(plan, ref, builder, opened, world, config.credentials);
  if (plan.call) {
    const { text, exitCode } = callAnswer(plan.call, result.exporterResponse);
    world.stdout.write(text);
    return exitCode;
  }
  reportResult({ result, plan, ref }, world);
  return 0;
}

async function runPlan(
  plan: BuildPlan,
  ref: string,
  builder: Builder,
  opened: OpenDisplay,
  world: RunWorld,
  credentials: Parameters<typeof createLocalSession>[0]["credentials"],
): Promise<BuildResult> {
  const request: BuildRequest = {
    ref,
    frontend: "dockerfile.v0",
    attrs: plan.attrs,
    exporters: plan.exporters,
  };
  const session = createLocalSession({
    directories: plan.directories,
    secrets: plan.secrets,
    receivers: plan.receivers,
    env: world.env,
    stdout: world.stdout,
    credentials,
  });
  const build = builder.build(request, session, world.call);
  // Both are waited for: a failure must not leave the picture half drawn.
  const [shown, result] = await Promise.allSettled([
    showProgress(build.events, opened.display),
    build.result,
  ]);
  sayAfterwards(opened, { failed: result.status === "rejected", warn: !plan.call }, world);
  if (result.status === "rejected") throw placed(result.reason, plan);
  if (shown.status === "rejected") throw shown.reason;
  return result.value;
}

/** Lines of a failed step shown where they have been shown already, and where they have not. */
const failureTail = { plain: 20, other: 200 };

function sayAfterwards(
  { mode, model }: OpenDisplay,
  { failed, warn }: { readonly failed: boolean; readonly warn: boolean },
  world: RunWorld,
): void {
  if (!model || mode === "none" || mode === "rawjson") return;
  const { style } = world.stderr;
  const lines: string[] = [];
  if (failed)
    lines.push(
      ...failureLines(model, mode === "plain" ? failureTail.plain : failureTail.other, style),
    );
  else if (warn && mode !== "quiet") {
    lines.push(...warningLines(model.warnings, style));
    if (world.globals.debug)
      lines.push(...model.warnings.flatMap((warning) => warningBlock(warning, style)));
  }
  world.stderr.write(lines.map((line) => `${line}\n`).join(""));
}

/** Mistakes in the Dockerfile are shown under the name the user gave it. */
function placed(error: unknown, plan: BuildPlan): unknown {
  if (!isKilnError(error) || error.at === undefined || error.at.file !== plan.attrs["filename"])
    return error;
  const rename = (one: KilnError): KilnError =>
    new KilnError(one.code, one.message, {
      cause: one.cause,
      details: one.details,
      others: one.others.map(rename),
      ...(one.hint === undefined ? {} : { hint: one.hint }),
      ...(one.at === undefined ? {} : { at: { ...one.at, file: plan.dockerfile } }),
    });
  return rename(error);
}

/** A Dockerfile is text; more than this is something else. */
const maxStdinDockerfile = 4 * 1024 * 1024;

/** Reads the Dockerfile that `-` or `-f -` promises into a directory of its own; undefined where none is promised. */
async function readStdinDockerfile(
  context: string,
  file: string,
  stack: AsyncStack,
  world: RunWorld,
): Promise<string | undefined> {
  if (context !== "-" && file !== "-") return undefined;
  if (context === "-" && file !== "") {
    throw new KilnError(
      "FLAG_INVALID",
      "standard input cannot be both the context and its Dockerfile",
      {
        hint: "Leave out -f: a Dockerfile on standard input is built without a context.",
      },
    );
  }
  const data = await readAll(world.stdin, maxStdinDockerfile, "the Dockerfile on standard input");
  if (isArchive(data)) {
    throw new KilnError(
      "UNSUPPORTED",
      "an archive on standard input is not supported as a context yet",
      {
        hint: "Unpack it to a directory and build that.",
      },
    );
  }
  const directory = mkdtempSync(join(tmpdir(), "kiln-stdin-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "Dockerfile"), data);
  mkdirSync(join(directory, "context"));
  return directory;
}

/** gzip, bzip2, xz, zstd, or tar by its magic at 257. */
function isArchive(data: Uint8Array): boolean {
  const starts = (...bytes: number[]) => bytes.every((byte, at) => data[at] === byte);
  if (
    starts(0x1f, 0x8b) ||
    starts(0x42, 0x5a, 0x68) ||
    starts(0xfd, 0x37, 0x7a) ||
    starts(0x28, 0xb5, 0x2f, 0xfd)
  )
    return true;
  return new TextDecoder().decode(data.subarray(257, 262)) === "ustar";
}
