// Which authorities are trusted: the system's, those of the environment, and those that a host's configuration names.
import { readFileSync } from "node:fs";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { KilnError } from "../../base/index.ts";
import type { Environment } from "./proxy.ts";
import type { RegistryHostConfig } from "./registry.ts";

// Where distributions keep their bundle, in the order in which Go looks.
const systemBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

const contexts = new WeakMap<RegistryHostConfig, SecureContext>();

/**
 * The TLS settings for a host, made once for each configuration: reading the authorities costs milliseconds, so only who
 * speaks https pays. SSL_CERT_FILE replaces the system's bundle; KILN_EXTRA_CA_CERTS (as which the launcher passes on
 * NODE_EXTRA_CA_CERTS) adds to it. Throws `CONFIG_INVALID`.
 */
export function secureContextFor(
  config: RegistryHostConfig,
  environment: Environment,
): SecureContext {
  const known = contexts.get(config);
  if (known) return known;
  const context = create(config, environment);
  contexts.set(config, context);
  return context;
}

function create(config: RegistryHostConfig, environment: Environment): SecureContext {
  const ca = [
    ...baseAuthorities(environment),
    ...extraAuthorities(environment),
    ...(config.ca ?? []),
  ];
  try {
    return createSecureContext({ ca, ...config.keyPair });
  } catch (cause) {
    throw new KilnError(
      "CONFIG_INVALID",
      "a certificate or key for reaching registries cannot be read",
      {
        cause,
        hint: "Files of ca, keypair, SSL_CERT_FILE and NODE_EXTRA_CA_CERTS must be in PEM form.",
      },
    );
  }
}

function baseAuthorities(environment: Environment): readonly string[] {
  const named = environment["SSL_CERT_FILE"];
  if (named) return [readNamed(named, "SSL_CERT_FILE")];
  for (const path of systemBundles) {
    const bundle = readIfThere(path);
    if (bundle !== undefined) return [bundle];
  }
  return rootCertificates;
}

function extraAuthorities(environment: Environment): readonly string[] {
  const name = environment["KILN_EXTRA_CA_CERTS"] ? "KILN_EXTRA_CA_CERTS" : "NODE_EXTRA_CA_CERTS";
  const path = environment[name];
  return path ? [readNamed(path, "NODE_EXTRA_CA_CERTS")] : [];
}

function readNamed(path: string, variable: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new KilnError("CONFIG_INVALID", `${variable}: cannot read ${path}`, { cause });
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
