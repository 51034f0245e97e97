// Frontends in images: their program runs in a container and asks for what the bridge offers, over its input and output.
import type {
  Attrs,
  BuildBridge,
  Container,
  FrontendResult,
  ServeBridge,
} from "../../../api/index.ts";
import {
  AsyncStack,
  abortable,
  abortReason,
  type Call,
  isKilnError,
  KilnError,
} from "../../../base/index.ts";
import { image } from "../../../formats/llb/index.ts";
import {
  type ContainerConfig,
  formatReference,
  hostPlatform,
  parseReference,
  withDefaultTag,
} from "../../../formats/oci/index.ts";
import type { Frontend } from "../frontend.ts";
import { isStandardFrontend } from "../standard.ts";
import { frontendEnvironment, withoutGatewayOptions } from "./environment.ts";
import { Pipes } from "./pipes.ts";

export interface GatewayOptions {
  /** Speaks the gateway protocol; absent where there is nobody to speak it. */
  readonly serve: ServeBridge | undefined;
  /** The Dockerfile frontend stands for the images in which it is published. */
  readonly builtIn: boolean;
  /** Repositories whose frontends may run (`docker.io/docker/dockerfile`); all where absent. */
  readonly allowedRepositories?: readonly string[];
}

const networkLabel = "moby.buildkit.frontend.network.none";
const capsLabel = "moby.buildkit.frontend.caps";
/** Frontends that run frontends, in depth. */
const maxDepth = 10;
/** Counts it, on its way through requests. */
const depthAttr = "kiln.gateway-depth";
/** Milliseconds that a frontend may take to end once it has answered. */
const farewell = 10_000;

export function createGatewayFrontend(options: GatewayOptions): Frontend {
  return {
    name: "gateway.v0",
    async solve(attrs, bridge, call) {
      const source = attrs["source"];
      if (!source) throw new KilnError("REQUEST_INVALID", "no source specified for gateway");
      if (attrs["gateway-devel"] !== undefined)
        throw new KilnError("UNSUPPORTED", "gateway-devel is not supported", {
          hint: "Name an image that has the frontend as source.",
        });
      if (source !== "dockerfile.v0") checkAllowed(source, options.allowedRepositories);
      if (options.builtIn && isStandardFrontend(source))
        return await bridge.frontend(
          { name: "dockerfile.v0", attrs: withoutGatewayDepth(attrs), inputs: bridge.inputs },
          call,
        );
      if (!options.serve)
        throw new KilnError("UNSUPPORTED", `the frontend ${source} cannot be run here`);
      return await runFrontend(source, attrs, { bridge, serve: options.serve }, call);
    },
  };
}

function withoutGatewayDepth({ [depthAttr]: _, ...attrs }: Attrs): Attrs {
  return attrs;
}

function checkAllowed(source: string, allowed: readonly string[] | undefined): void {
  if (!allowed || allowed.length === 0) return;
  const { digest: _digest, tag: _tag, ...named } = parseReference(source);
  const repository = formatReference(named);
  const plain = (text: string) => text.replace(/^docker\.io\//, "").replace(/^library\//, "");
  if (allowed.some((one) => plain(one) === plain(repository))) return;
  throw new KilnError(
    "SOURCE_DENIED",
    `'${source}' is not an allowed gateway source: allowed are ${allowed.join(", ")}`,
    { hint: 'Add it to allowedRepositories of [frontend."gateway.v0"] in buildkitd.toml.' },
  );
}

interface Running {
  readonly bridge: BuildBridge;
  readonly serve: ServeBridge;
}

async function runFrontend(
  source: string,
  attrs: Attrs,
  { bridge, serve }: Running,
  call: Call,
): Promise<FrontendResult> {
  const depth = Number(attrs[depthAttr] ?? "0") || 0;
  if (depth >= maxDepth)
    throw new KilnError("REQUEST_INVALID", `more than ${maxDepth} frontends that run each other`);
  const platform = bridge.platforms[0] ?? hostPlatform(process.arch);
  const logName = `resolve image config for docker-image://${formatReference(withDefaultTag(parseReference(source)))}`;
  const found = await bridge.resolveImage(source, { platform, logName }, call);
  const config = found.config.config ?? {};
  checkCapabilities(attrs, config);
  const definition = image(found.reference, { platform }).marshal({
    platform,
    localUniqueId: "frontend",
  });
  const ref = await bridge.solve(definition, call);
  await using stack = new AsyncStack();
  const container = stack.use(
    await bridge.container(
      {
        op: {
          mounts: [
            { type: "bind", target: "/", selector: "", readonly: false, contentCache: "default" },
          ],
          network: isTrue(config.Labels?.[networkLabel]) ? "none" : "sandbox",
          extraHosts: [],
          hostname: "",
        },
        refs: [ref],
        platform,
      },
      call,
    ),
  );
  const inner = nested(bridge, depth + 1);
  return await converse(
    source,
    startedWith(config, source),
    { attrs, container, inner, serve },
    call,
  );
}

/** What the frontend asks for in turn knows how deep it is. */
function nested(bridge: BuildBridge, depth: number): BuildBridge {
  return {
    ...bridge,
    frontend: (request, call) =>
      bridge.frontend(
        { ...request, attrs: { ...request.attrs, [depthAttr]: String(depth) } },
        call,
      ),
  };
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(1|t|true)$/i.test(text);
}

/** What a caller needs the frontend to know, by the frontend's own word for it. */
function checkCapabilities(attrs: Attrs, config: ContainerConfig): void {
  const known = new Set((config.Labels?.[capsLabel] ?? "").split(",").map((one) => one.trim()));
  const asked = (attrs["frontend.caps"] ?? "").split(",").map((one) => one.trim());
  const needed = attrs["requestid"] ? ["moby.buildkit.frontend.subrequests"] : [];
  for (const name of [...asked, ...needed]) {
    const bare = name.replace(/\+forward$/, "");
    if (bare === "" || known.has(bare) || known.has(`${bare}+forward`)) continue;
    throw new KilnError("UNSUPPORTED", `unsupported frontend capability ${bare}`, {
      details: { capability: bare },
      hint: "The frontend's image does not list it in its label moby.buildkit.frontend.caps.",
    });
  }
}

function startedWith(config: ContainerConfig, source: string) {
  const args = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (args.length === 0)
    throw new KilnError("REQUEST_INVALID", `the image ${source} has no entrypoint and no command`, {
      hint: "An image after '# syntax=' has to hold a frontend.",
    });
  return {
    args,
    env: config.Env ?? [],
    cwd: config.WorkingDir || "/",
    user: config.User ?? "",
  };
}

interface Conversation {
  readonly attrs: Attrs;
  readonly container: Container;
  readonly inner: BuildBridge;
  readonly serve: ServeBridge;
}

/** Until the frontend has answered, or has ended without an answer. */
async function converse(
  source: string,
  program: ReturnType<typeof startedWith>,
  { attrs, container, inner, serve }: Conversation,
  call: Call,
): Promise<FrontendResult> {
  const over = new AbortController();
  const during: Call = { signal: AbortSignal.any([call.signal, over.signal]) };
  const pipes = new Pipes();
  const env = [
    ...program.env,
    ...frontendEnvironment(withoutGatewayOptions(attrs), inner.platforms),
  ];
  const process = container.start(
    {
      op: {
        ...program,
        env,
        security: "sandbox",
        secretEnv: [],
        ulimits: [],
        cgroupParent: "",
      },
      input: pipes.input,
      output: (stream, data) => (stream === 1 ? pipes.say(data) : pipes.complain(data)),
    },
    during,
  );
  const ended = process.exit.then(
    (code) => {
      pipes.end();
      return code;
    },
    (error: unknown) => {
      pipes.end();
      throw error;
    },
  );
  ended.catch(() => {});
  const answered = serve(inner, pipes.socket, during).catch(async (error: unknown) => {
    // What it returned itself stands, however it ends then: Go's frontends panic with their error.
    if (!isKilnError(error) || error.code !== "FRONTEND_FAILED") throw error;
    // How it ended says more than that nobody speaks any more.
    const code = await Promise.race([ended.catch(() => false as const), delayed(1000)]);
    throw code === false ? error : frontendEnded(source, code, pipes.complaint());
  });
  answered.catch(() => {});
  try {
    const died = ended.then(async (code): Promise<never> => {
      // What it said last may still be on its way.
      const last = await Promise.race([answered.then(() => true), delayed(500)]).catch(() => true);
      if (last) return await new Promise<never>(() => {});
      throw frontendEnded(source, code, pipes.complaint());
    });
    const result = await abortable(Promise.race([answered, died]), call);
    await Promise.race([ended.catch(() => {}), delayed(farewell)]);
    return result;
  } finally {
    over.abort(abortReason("the frontend is not needed any more"));
    pipes.end();
    await ended.catch(() => {});
  }
}

function delayed(ms: number): Promise<false> {
  return new Promise((resolve) => void setTimeout(() => resolve(false), ms).unref());
}

function frontendEnded(source: string, code: number, complaint: string): KilnError {
  const said = complaint === "" ? "" : `:\n${complaint}`;
  return new KilnError(
    "FRONTEND_FAILED",
    `the frontend ${source} ended with exit code ${code} before it returned a result${said}`,
    { hint: "Is the image a frontend? Its program has to speak BuildKit's gateway protocol." },
  );
}
