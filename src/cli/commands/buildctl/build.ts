// kiln buildctl build: one build on a BuildKit daemon, with buildctl's flags.
import { closeSync, openSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import type { Build, BuildEvent, BuildRequest, BuildResult, Session } from "../../../api/index.ts";
import {
  AsyncStack,
  fromNodeError,
  KilnError,
  readAll,
  writeFileAtomic,
} from "../../../base/index.ts";
import {
  type Definition,
  decodeDefinition,
  MAX_DEFINITION_BYTES,
} from "../../../formats/llb/index.ts";
import { type Flags, parseSecrets } from "../../flags/index.ts";
import {
  failureLines,
  type OpenDisplay,
  openDisplay,
  type ProgressMode,
  showProgress,
  warningLines,
} from "../../progress/index.ts";
import { createLocalSession } from "../build/local-session.ts";
import { checkSecrets } from "../build/sources.ts";
import { createBuildRef } from "../builders/builder.ts";
import type { Command, RunWorld } from "../command.ts";
import { enterEmbedded } from "./address.ts";
import { readAuthContexts, withTokens } from "./auth-tls.ts";
import { buildFlags } from "./build-flags.ts";
import {
  readCacheExports,
  readCacheImports,
  readDirectories,
  readOpts,
  readOutputs,
  type WantedOutput,
} from "./build-options.ts";
import { CacheMetrics } from "./cache-metrics.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand, during } from "./failure.ts";
import { credentialsOf, lendAgents } from "./lent.ts";
import { metadataText } from "./metadata.ts";
import { readSourcePolicy } from "./source-policy.ts";

type BuildValues = Flags<typeof buildFlags>["values"];

export const build: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "build"],
    aliases: ["b"],
    args: { min: 0, max: 0 },
    summary: "Build with a BuildKit daemon",
    about:
      "Takes buildctl's flags. Without --frontend, a definition (LLB) is read from standard input. The flags that buildctl had before version 0.11 (--frontend-opt, --exporter, --exporter-opt, --export-cache-opt) are taken with a word on those of today.",
    examples: [
      {
        what: "Build and push an image from a Dockerfile",
        run: "kiln buildctl build --frontend dockerfile.v0 --opt target=foo --opt build-arg:foo=bar --local context=. --local dockerfile=. --output type=image,name=docker.io/username/image,push=true",
      },
      {
        what: "The same without a daemon",
        run: "kiln buildctl --addr embedded:// build --frontend dockerfile.v0 --local context=. --local dockerfile=. --output type=oci,dest=image.tar",
      },
    ],
    flags: buildFlags,
  },
  async run({ values }, _args, world) {
    const outputs = readOutputs(values, world.cwd, world.stdout);
    enterEmbedded(values, world);
    const progress = progressMode(values.progress);
    const session = lend(values, outputs, world);
    const request = await buildRequest(values, outputs, world);
    const policy =
      values["source-policy-file"] === ""
        ? undefined
        : readSourcePolicy(resolve(world.cwd, values["source-policy-file"]));
    await using daemon = await during("listing workers for Build: failed to list workers", () =>
      openDaemon(values, world, {
        amend: (message) => ({
          ...message,
          Frontend: values.frontend,
          ProxyNetwork: values["proxy-network"],
          SourcePolicy: policy,
        }),
      }),
    );
    if (values["ref-file"] !== "") write(values["ref-file"], request.ref, world);
    const result = await during("failed to solve", () => {
      const running = daemon.builder.build(request, session, world.call);
      return follow(running, values, progress, world);
    });
    report(result, request, values, world);
    return 0;
  },
});

function progressMode(word: string): ProgressMode {
  const modes = ["auto", "plain", "tty", "rawjson", "quiet", "none"] as const;
  const found = modes.find((mode) => mode === word);
  if (found) return found;
  throw new KilnError("FLAG_INVALID", `invalid progress value : ${word}`, {
    hint: "Values are auto, plain, tty and rawjson.",
  });
}

function lend(values: BuildValues, outputs: readonly WantedOutput[], world: RunWorld): Session {
  const { cwd, env, stdout } = world;
  const credentials = credentialsOf(values["docker-config"], world);
  const session = createLocalSession({
    directories: readDirectories(values.local, "local", cwd),
    layouts: readDirectories(values["oci-layout"], "oci-layout", cwd),
    uploads: new Map(),
    secrets: checkSecrets(parseSecrets(values.secret), { cwd, env: {} }),
    agents: lendAgents(values.ssh, world),
    receivers: outputs.map(({ receiver }) => receiver),
    env,
    stdout,
    credentials: (host, call) => credentials.credentials(host, call),
  });
  return withTokens(session, readAuthContexts(values["registry-auth-tlscontext"], cwd));
}

async function buildRequest(
  values: BuildValues,
  outputs: readonly WantedOutput[],
  world: RunWorld,
): Promise<BuildRequest> {
  const opts = readOpts([...values["frontend-opt"], ...values.opt], world.env);
  const caches = {
    cacheExports: readCacheExports(values["export-cache"], values["export-cache-opt"], world),
    cacheImports: readCacheImports(values["import-cache"], world),
  };
  const definition = values.frontend === "" ? await readLlb(values["no-cache"], world) : undefined;
  const noCache = values["no-cache"] && definition === undefined ? { "no-cache": "" } : {};
  const question =
    opts["requestid"] === undefined
      ? {}
      : { "frontend.caps": "moby.buildkit.frontend.subrequests" };
  return {
    ref: createBuildRef(),
    attrs: { ...question, ...opts, ...noCache },
    ...(definition ? { definition } : {}),
    exporters: outputs.map(({ request }) => request),
    ...caches,
    entitlements: values.allow,
  };
}

/** The definition on standard input. */
async function readLlb(noCache: boolean, { stdin }: RunWorld): Promise<Definition> {
  if (stdin.isTerminal) {
    throw new KilnError(
      "FLAG_INVALID",
      "please specify --frontend or pipe LLB definition to stdin",
      { hint: "For a Dockerfile: --frontend dockerfile.v0 --local context=. --local dockerfile=." },
    );
  }
  const bytes = await readAll(stdin, MAX_DEFINITION_BYTES, "definition on standard input");
  const definition = await during("failed to parse input", async () => decodeDefinition(bytes));
  if (definition.ops.length === 0) {
    throw new KilnError(
      "FLAG_INVALID",
      "empty definition sent to build. Specify --frontend instead?",
    );
  }
  if (!noCache) return definition;
  const ops = definition.ops.map((op) => ({
    ...op,
    metadata: { ...op.metadata, ignoreCache: true },
  }));
  return { ...definition, ops };
}

/** Shows a build to its end; the trace file and the metrics are told of the same events. */
async function follow(
  running: Build,
  values: BuildValues,
  mode: ProgressMode,
  world: RunWorld,
): Promise<BuildResult> {
  await using owned = new AsyncStack();
  const opened = await openDisplay(mode, world.stderr, world);
  const metrics = new CacheMetrics();
  const trace = values.trace === "" ? undefined : await openTrace(values.trace, owned, world);
  async function* watched(): AsyncIterable<BuildEvent> {
    for await (const event of running.events) {
      metrics.event(event);
      trace?.event(event);
      yield event;
    }
  }
  const [shown, result] = await Promise.allSettled([
    showProgress(watched(), opened.display),
    running.result,
  ]);
  sayAfterwards(opened, result.status === "rejected", world);
  sayMetrics(metrics, values["debug-json-cache-metrics"], world);
  if (result.status === "rejected") throw result.reason;
  if (shown.status === "rejected") throw shown.reason;
  return result.value;
}

/** Appends the build's progress to a file, in the words of `--progress rawjson`. */
async function openTrace(
  path: string,
  owned: AsyncStack,
  world: RunWorld,
): Promise<OpenDisplay["display"]> {
  const file = opened(resolve(world.cwd, path));
  owned.defer(() => closeSync(file));
  const out = {
    ...world.stderr,
    isTerminal: false,
    write: (chunk: string | Uint8Array) =>
      void (typeof chunk === "string" ? writeSync(file, chunk) : writeSync(file, chunk)),
  };
  return (await openDisplay("rawjson", out, world)).display;
}

function opened(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    throw fromNodeError(error, "opening --trace");
  }
}

/** Lines of a failed step shown where they have been shown already, and where they have not. */
const failureTail = { plain: 20, other: 200 };

function sayAfterwards({ mode, model }: OpenDisplay, failed: boolean, { stderr }: RunWorld): void {
  if (!model || mode === "none" || mode === "rawjson") return;
  const tail = mode === "plain" ? failureTail.plain : failureTail.other;
  const lines = failed
    ? failureLines(model, tail, stderr.style)
    : warningLines(model.warnings, stderr.style);
  stderr.write(lines.map((line) => `${line}\n`).join(""));
}

function sayMetrics(metrics: CacheMetrics, to: string, world: RunWorld): void {
  if (to === "") return;
  const text = metrics.report();
  if (to === "stdout") world.stdout.write(text);
  else if (to === "stderr") world.stderr.write(text);
  else write(to, text, world);
}

function write(path: string, text: string, { cwd }: RunWorld): void {
  try {
    writeFileAtomic(resolve(cwd, path), text, 0o644);
  } catch (error) {
    throw fromNodeError(error, `writing ${path}`);
  }
}

function report(
  { exporterResponse }: BuildResult,
  { attrs }: BuildRequest,
  values: BuildValues,
  world: RunWorld,
): void {
  if (world.globals.debug)
    for (const [key, value] of Object.entries(exporterResponse))
      world.stderr.write(`exporter response: ${key}=${value}\n`);
  if (values["metadata-file"] !== "")
    write(values["metadata-file"], metadataText(exporterResponse), world);
  if (attrs["requestid"] === undefined) return;
  // What a frontend answers to a question instead of a build.
  const text = exporterResponse["result.txt"];
  if (text !== undefined) world.stdout.write(text);
  else
    for (const [key, value] of Object.entries(exporterResponse))
      if (key.startsWith("result.")) world.stdout.write(`${key}\n${value}\n`);
}
