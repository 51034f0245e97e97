// What people are told when a registry cannot be reached.
import { KilnError } from "../../base/index.ts";
import { failureWords, isUnknownAuthority, type NetworkFailure } from "../http/index.ts";

/** What people see: `REGISTRY_UNREACHABLE`, with what to do where that is known. */
export function unreachable(failure: NetworkFailure, host: string, doing: string): KilnError {
  const hint = hintFor(failure, host);
  const message = `${doing}: cannot reach ${host}: ${failureWords(failure)}`;
  return new KilnError("REGISTRY_UNREACHABLE", message, {
    cause: failure.cause ?? failure,
    ...(hint === undefined ? {} : { hint }),
  });
}

function hintFor(failure: NetworkFailure, host: string): string | undefined {
  const { code } = failure;
  const table = `[registry."${host}"]`;
  if (isUnknownAuthority(failure)) {
    return `Name its authority's certificate with ca = ["FILE"] below ${table} in kiln.toml, or in SSL_CERT_FILE.`;
  }
  if (code === "EPROTO") {
    return `If the registry speaks plain http, set http = true below ${table} in kiln.toml.`;
  }
  if (code === "HPE_INVALID_CONSTANT") {
    return `If the registry speaks https, remove http = true below ${table} in kiln.toml.`;
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return "Check the name, the network and the proxy settings.";
  return undefined;
}
