// Proxy settings: build arguments that steps see without being keyed by them.
import type { ProxyEnv } from "../../llb/index.ts";
import { compareText } from "../text.ts";

const kinds = ["http", "https", "ftp", "no", "all"] as const;

/** Proxies among the build arguments, in any case; of two spellings the one in lower case counts. */
export function proxyEnvOf(buildArgs: Readonly<Record<string, string>>): ProxyEnv | undefined {
  const found: Partial<Record<(typeof kinds)[number], string>> = {};
  for (const name of Object.keys(buildArgs).sort(compareText)) {
    const kind = kinds.find((one) => name.toLowerCase() === `${one}_proxy`);
    if (kind !== undefined) found[kind] = buildArgs[name] ?? "";
  }
  if (Object.keys(found).length === 0) return undefined;
  return { http: "", https: "", ftp: "", no: "", all: "", ...found };
}
