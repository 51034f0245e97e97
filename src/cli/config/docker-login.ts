// Keeping credentials where docker keeps them, and forgetting them: a helper where config.json names one, else the file.
import { mkdirSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type { Credentials } from "../../api/index.ts";
import { type Call, fromNodeError, writeFileAtomic } from "../../base/index.ts";
import type { Environment } from "./config-file.ts";
import { eraseFromHelper, tellHelper } from "./credential-helper.ts";
import { helperFor, hostOf, hubKey, readDockerConfig } from "./docker-config.ts";
import { removeMember, setMember } from "./json-edit.ts";

/** Where credentials went. */
export interface KeptIn {
  /** Path of config.json. */
  readonly file: string;
  /** The helper that has the secret; undefined where it is in the file for whoever can read it. */
  readonly helper: string | undefined;
}

/** The host that people mean by `https://ghcr.io/`, `index.docker.io` or nothing at all. */
export function registryHost(text: string): string {
  return text === "" ? "docker.io" : hostOf(text);
}

/**
 * Keeps credentials for a host. Of config.json, which only its owner can read afterwards, no other byte changes. Throws
 * `CREDENTIALS_FAILED`, `CONFIG_INVALID`.
 */
export async function keepCredentials(
  host: string,
  credentials: Credentials,
  environment: Environment,
  call: Call,
): Promise<KeptIn> {
  const config = readDockerConfig(environment);
  const key = keyOf(host);
  const helper = helperFor(config, key);
  const question = { helper: helper ?? "", serverUrl: key, configFile: config.file, environment };
  if (helper !== undefined) await tellHelper(question, credentials, call);
  // Docker lists the hosts of a helper too, with nothing in them.
  const entry = helper === undefined ? entryOf(credentials) : {};
  const text = config.text.trim() === "" ? "{}" : config.text;
  writeConfig(config.file, setMember(text, ["auths", key], entry));
  return { file: config.file, helper };
}

/** Forgets what is kept for a host. False where nothing was. Throws `CREDENTIALS_FAILED`, `CONFIG_INVALID`. */
export async function forgetCredentials(
  host: string,
  environment: Environment,
  call: Call,
): Promise<boolean> {
  const config = readDockerConfig(environment);
  const key = keyOf(host);
  const entries = Object.keys(config.auths).filter((name) => hostOf(name) === host);
  const helper = helperFor(config, key);
  if (helper !== undefined) {
    const question = { helper, configFile: config.file, environment };
    for (const serverUrl of new Set([key, ...entries]))
      await eraseFromHelper({ ...question, serverUrl }, call);
  }
  const text = entries.reduce((left, name) => removeMember(left, ["auths", name]), config.text);
  if (text !== config.text) writeConfig(config.file, text);
  return entries.length > 0;
}

function keyOf(host: string): string {
  return host === "docker.io" ? hubKey : host;
}

function entryOf({ username = "", password = "", identityToken }: Credentials): unknown {
  const secret = identityToken === undefined ? password : "";
  const bytes = new TextEncoder().encode(`${username}:${secret}`);
  const auth = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return { auth, ...(identityToken === undefined ? {} : { identitytoken: identityToken }) };
}

/** Replaces config.json, which only its owner can read afterwards. */
export function writeConfig(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileAtomic(realFile(file), text, 0o600);
  } catch (error) {
    throw fromNodeError(error, `writing ${file}`);
  }
}

/** A link stays one. */
function realFile(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}
