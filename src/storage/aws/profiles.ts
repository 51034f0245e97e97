// The files that AWS's own tools keep: profiles with keys, regions and roles (`~/.aws/config`, `~/.aws/credentials`).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KilnError } from "../../base/index.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What both files say of one profile, by lower-case name; the credentials file wins. */
export type Profile = Readonly<Record<string, string>>;

/** Larger files than this are not what their name says. */
const maxFileSize = 1024 * 1024;

/** The profile that is in use. */
export function profileName(env: Environment): string {
  return env["AWS_PROFILE"] || env["AWS_DEFAULT_PROFILE"] || "default";
}

/** Where AWS's tools keep what is theirs. */
export function awsHome(env: Environment): string {
  return join(env["HOME"] ?? "/", ".aws");
}

/** Empty where no file has it. Throws `CONFIG_INVALID` for a file that cannot be read. */
export function readProfile(name: string, env: Environment): Profile {
  const config = readConfig(env);
  const credentials = readIni(
    env["AWS_SHARED_CREDENTIALS_FILE"] || join(awsHome(env), "credentials"),
  );
  return {
    ...(config.get(name === "default" && config.has("default") ? "default" : `profile ${name}`) ??
      {}),
    ...(credentials.get(name) ?? {}),
  };
}

/** A section `sso-session` of the configuration, which profiles name. */
export function readSignOnSession(name: string, env: Environment): Profile | undefined {
  return readConfig(env).get(`sso-session ${name}`);
}

/** Where S3 is, for those who have it elsewhere than at Amazon. */
export function s3Endpoint(env: Environment = process.env): string | undefined {
  return env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"] || undefined;
}

/** The region that is meant where none is given. */
export function awsRegion(env: Environment = process.env): string | undefined {
  const named = env["AWS_REGION"] || env["AWS_DEFAULT_REGION"];
  return named || readProfile(profileName(env), env)["region"] || undefined;
}

function readConfig(env: Environment): ReturnType<typeof readIni> {
  return readIni(env["AWS_CONFIG_FILE"] || join(awsHome(env), "config"));
}

function readIni(path: string): ReadonlyMap<string, Record<string, string>> {
  const sections = new Map<string, Record<string, string>>();
  let values: Record<string, string> | undefined;
  for (const line of readText(path).split(/\r?\n/)) {
    const [, section] = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line) ?? [];
    if (section !== undefined) {
      const name = section.replace(/\s+/g, " ");
      values = sections.get(name) ?? {};
      sections.set(name, values);
      continue;
    }
    // Indented lines belong to nested settings, which say nothing of identities.
    const [, key, value] = /^([A-Za-z0-9_.-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (values && key !== undefined && value !== undefined)
      values[key.toLowerCase()] = value.replace(/\s+[#;].*$/, "");
  }
  return sections;
}

function readText(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return "";
    throw new KilnError("CONFIG_INVALID", `reading ${path}: ${code ?? String(error)}`, {
      cause: error,
    });
  }
  if (text.length <= maxFileSize) return text;
  throw new KilnError("CONFIG_INVALID", `${path} is larger than any list of profiles`);
}
