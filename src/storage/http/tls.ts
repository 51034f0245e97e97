// Which authorities are trusted: Node's or the system's, those of the environment, and those that a host's configuration names.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { certificateBundles, KilnError } from "../../base/index.ts";
import type { Environment } from "./proxy.ts";

/** How the certificate of one host is checked, and which is shown to it. */
export interface HostSettings {
  /** Skip certificate checks. */
  readonly insecure?: boolean;
  /** PEM texts of further authorities. */
  readonly ca?: readonly string[];
  readonly keyPair?: { readonly key: string; readonly cert: string };
}

/** Whom to trust besides those that a host's configuration names. */
export interface Trust {
  readonly environment: Environment;
  /** The system's authorities as well as Node's. */
  readonly system: boolean;
}

/**
 * The TLS settings for a host. SSL_CERT_FILE takes the place of Node's and the system's authorities; KILN_EXTRA_CA_CERTS
 * (as which the launcher passes NODE_EXTRA_CA_CERTS on) and the host's own add to them. Throws `CONFIG_INVALID`.
 */
export function secureContextFor(config: HostSettings, trust: Trust): SecureContext {
  const named = namedAuthorities(config, trust.environment);
  const { SSL_CERT_FILE: instead } = trust.environment;
  const base = instead
    ? [readNamed(instead, "SSL_CERT_FILE")]
    : trust.system
      ? systemAuthorities()
      : [];
  // Node's own list comes ready made, unless anything is added to it.
  const ca =
    base.length > 0
      ? [...base, ...named]
      : named.length > 0
        ? [...rootCertificates, ...named]
        : undefined;
  try {
    // OpenSSL passes over what it cannot read without a word.
    for (const text of named) new X509Certificate(text);
    return createSecureContext({ ...(ca ? { ca } : {}), ...config.keyPair });
  } catch (cause) {
    const what = "a certificate or key for reaching servers cannot be read";
    throw new KilnError("CONFIG_INVALID", what, {
      cause,
      hint: "Files of ca, keypair, SSL_CERT_FILE and NODE_EXTRA_CA_CERTS must be in PEM form.",
    });
  }
}

function namedAuthorities(config: HostSettings, environment: Environment): readonly string[] {
  const extra = environment["KILN_EXTRA_CA_CERTS"] || environment["NODE_EXTRA_CA_CERTS"];
  const own = config.ca ?? [];
  return extra ? [readNamed(extra, "NODE_EXTRA_CA_CERTS"), ...own] : own;
}

function systemAuthorities(): readonly string[] {
  const bundle = certificateBundles.map(readIfThere).find((text) => text !== undefined);
  return bundle === undefined ? rootCertificates : [...rootCertificates, bundle];
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
