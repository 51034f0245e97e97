// A build request as the message that asks a daemon for it.
import type { BuildRequest, ExportRequest, SourcePolicy } from "../../api/index.ts";
import { KilnError } from "../../base/index.ts";
import { type Definition, encodeDefinition } from "../../formats/llb/index.ts";
import { control, pb, type policy } from "../../formats/proto/index.ts";
import { policyMessage } from "../session/index.ts";

/** Attributes that say where a result goes on the asking side. */
const ownAttributes = new Set(["dest"]);

/** Throws `UNSUPPORTED` for what only a builder in the same process can do. */
export function solveRequest(request: BuildRequest, sessionId: string): control.SolveRequest {
  refuseUnsaid(request);
  const exporters = request.exporters.map(exporterOf);
  const [first] = exporters;
  return control.SolveRequest.create({
    Ref: request.ref,
    Definition: request.definition && message(request.definition),
    // Daemons from before several exporters read these.
    ExporterDeprecated: first?.Type ?? "",
    ExporterAttrsDeprecated: first?.Attrs ?? new Map(),
    Session: sessionId,
    Frontend: request.frontend ?? "",
    FrontendAttrs: new Map([...Object.entries(request.attrs), ...importAttrs(request)]),
    Cache: {
      Exports: (request.cacheExports ?? []).map(entryOf),
      Imports: (request.cacheImports ?? []).map(entryOf),
    },
    Entitlements: [...(request.entitlements ?? [])],
    FrontendInputs: new Map(
      Object.entries(request.inputs ?? {}).map(([name, one]) => [name, message(one)] as const),
    ),
    Exporters: exporters,
    SourcePolicy: policyOf(request.sourcePolicies ?? []),
    SourcePolicySession: request.checkSource ? sessionId : "",
    ProxyNetwork: request.proxyNetwork ?? false,
  });
}

/** The wire takes one policy, and joining several would change what they mean. */
function policyOf(policies: readonly SourcePolicy[]): policy.Policy | undefined {
  const rules = policies.flatMap((one) => one.rules);
  if (policies.length > 1)
    throw new KilnError("UNSUPPORTED", "a builder behind BuildKit's API takes one source policy", {
      hint: "Put all rules into one file.",
    });
  return rules.length === 0 ? undefined : policyMessage({ rules });
}

function refuseUnsaid(request: BuildRequest): void {
  const { resources = {}, plan, explain, expectCached } = request;
  const refused: string[] = [];
  if (plan) refused.push("planning (--plan)");
  if (explain) refused.push("explaining (--explain)");
  if (expectCached) refused.push("--expect-cached");
  if (Object.keys(resources).length > 0) refused.push("limits of memory and processor time");
  if (refused.length === 0) return;
  throw new KilnError(
    "UNSUPPORTED",
    `a builder behind BuildKit's API cannot be asked for ${refused.join(", ")}`,
    {
      hint: "Leave it out, or use the builder in this process: --builder default.",
    },
  );
}

function message(definition: Definition): pb.Definition {
  return pb.Definition.decode(encodeDefinition(definition));
}

/** `registry` is an image that is pushed. */
function exporterOf({ type, attrs }: ExportRequest): control.Exporter {
  const sent = Object.entries(attrs).filter(([name]) => !ownAttributes.has(name));
  if (type !== "registry") return { Type: type, Attrs: new Map(sent) };
  return { Type: "image", Attrs: new Map([["push", "true"], ...sent]) };
}

/** Frontends ask for caches by themselves: what the request says of them is for definitions only. */
function importAttrs({ frontend, cacheImports = [] }: BuildRequest): [string, string][] {
  if (!frontend || cacheImports.length === 0) return [];
  const entries = cacheImports.map(({ type, attrs }) => ({ Type: type, Attrs: attrs }));
  return [["cache-imports", JSON.stringify(entries)]];
}

function entryOf({ type, attrs }: ExportRequest): control.CacheOptionsEntry {
  return { Type: type, Attrs: new Map(Object.entries(attrs)) };
}
