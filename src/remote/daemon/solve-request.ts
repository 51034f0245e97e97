// A SolveRequest from the wire as the request that builders take.
import type { BuildRequest, ExportRequest } from "../../api/index.ts";
import { KilnError } from "../../base/index.ts";
import { type Definition, decodeDefinition } from "../../formats/llb/index.ts";
import { type control, pb } from "../../formats/proto/index.ts";
import { readPolicies } from "../session/index.ts";

/** The reference's generations of what is exported by default. */
const compatibilityVersions: readonly number[] = [10, 20, 30];
const makesImages: ReadonlySet<string> = new Set(["image", "oci", "docker"]);

/** Of a ref, in characters. */
const maxRef = 256;

/** A definition's message; undefined where it has no ops, which is scratch. Throws `DEFINITION_INVALID`. */
export function definitionOf(message: pb.Definition | undefined): Definition | undefined {
  if (!message || message.def.length === 0) return undefined;
  return decodeDefinition(pb.Definition.encode(message).finish());
}

/** Definitions by name, as they come in requests. */
export function definitionsOf(
  messages: ReadonlyMap<string, pb.Definition>,
): Readonly<Record<string, Definition>> {
  return Object.fromEntries(
    Array.from(messages, ([name, message]) => [name, definitionOf(message) ?? { ops: [] }]),
  );
}

const attrsOf = (attrs: ReadonlyMap<string, string>) => Object.fromEntries(attrs);

/** Without frontend and definition the client drives the build: that is left to the caller. Throws `REQUEST_INVALID`. */
export function buildRequestOf(message: control.SolveRequest): BuildRequest {
  const { Ref, Frontend } = message;
  if (Ref === "" || Ref.length > maxRef)
    throw new KilnError("REQUEST_INVALID", `a build's Ref must have 1 to ${maxRef} characters`);
  const definition = definitionOf(message.Definition) ?? nothingOf(message);
  if (definition && Frontend !== "") {
    const why = `a request has either a definition or a frontend (${Frontend}), not both`;
    throw new KilnError("REQUEST_INVALID", why);
  }
  const version = message.CompatibilityVersion;
  if (version !== 0 && !compatibilityVersions.includes(version))
    throw new KilnError("UNSUPPORTED", `compatibility version ${version} is not known`, {
      hint: `Known versions: ${compatibilityVersions.join(", ")}.`,
    });
  if (Frontend !== "" && Frontend !== "dockerfile.v0" && Frontend !== "gateway.v0")
    throw new KilnError("UNSUPPORTED", `invalid frontend: ${Frontend.slice(0, 200)}`);
  return {
    ref: Ref,
    ...(Frontend === "" ? {} : { frontend: Frontend }),
    attrs: attrsOf(message.FrontendAttrs),
    ...(definition ? { definition } : {}),
    inputs: definitionsOf(message.FrontendInputs),
    exporters: exportersOf(message),
    ...(message.EnableSessionExporter ? { sessionExporters: true } : {}),
    ...cachesOf(message.Cache),
    entitlements: message.Entitlements,
    sourcePolicies: readPolicies(message.SourcePolicy ? [message.SourcePolicy] : []),
    ...(message.ProxyNetwork ? { proxyNetwork: true } : {}),
    internal: message.Internal,
  };
}

/** A definition without ops is scratch; only a request without a definition leaves the build to its client. */
function nothingOf({ Definition, Frontend }: control.SolveRequest): Definition | undefined {
  return Definition && Frontend === "" ? { ops: [] } : undefined;
}

/** With the fields of clients from before there were several. */
function exportersOf(message: control.SolveRequest): ExportRequest[] {
  const { CompatibilityVersion: version, Exporters } = message;
  const { ExporterDeprecated: Type, ExporterAttrsDeprecated: Attrs } = message;
  const all = Exporters.length > 0 || Type === "" ? Exporters : [{ Type, Attrs }];
  return all.map(({ Type: type, Attrs: attrs }) => {
    const own = attrsOf(attrs);
    // What the request says holds for exporters that do not say otherwise.
    const shared = version !== 0 && makesImages.has(type);
    const wanted = shared ? { "compatibility-version": String(version), ...own } : own;
    return { type, attrs: wanted, tolerant: true };
  });
}

/** With the fields of clients from before there were lists. */
function cachesOf(
  cache: control.CacheOptions | undefined,
): Pick<BuildRequest, "cacheImports" | "cacheExports"> {
  if (!cache) return {};
  const entries = (list: readonly control.CacheOptionsEntry[]) =>
    list.map(({ Type, Attrs }) => ({ type: Type, attrs: attrsOf(Attrs) }));
  const { ExportRefDeprecated: ref, ExportAttrsDeprecated: attrs } = cache;
  return {
    cacheImports: [
      ...entries(cache.Imports),
      ...cache.ImportRefsDeprecated.map((one) => ({ type: "registry", attrs: { ref: one } })),
    ],
    cacheExports: [
      ...entries(cache.Exports),
      ...(ref === "" ? [] : [{ type: "registry", attrs: { ...attrsOf(attrs), ref } }]),
    ],
  };
}
