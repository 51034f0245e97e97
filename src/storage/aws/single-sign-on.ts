// Keys of a profile whose person has signed on (AWS IAM Identity Center): `aws sso login` has left a token behind.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Call, isRecord, KilnError } from "../../base/index.ts";
import { answerMembers, farawayService } from "../http/index.ts";
import { awsHome, type Environment, type Profile, readSignOnSession } from "./profiles.ts";
import { type AwsKeys, type AwsWorld, askAws } from "./services.ts";

/**
 * Undefined where the profile says nothing of signing on. Throws `CONFIG_INVALID` where it says half of it, or where nobody
 * has signed on, `CACHE_FAILED` where AWS lends no keys.
 */
export async function signedOnKeys(
  profile: Profile,
  name: string,
  world: AwsWorld,
  call: Call,
): Promise<AwsKeys | undefined> {
  const { sso_account_id: account, sso_role_name: role, sso_session: session } = profile;
  if (!account || !role) return undefined;
  const named = session ? readSignOnSession(session, world.env) : profile;
  const { sso_start_url: start, sso_region: region } = named ?? {};
  if (!start || !region)
    throw new KilnError(
      "CONFIG_INVALID",
      `AWS profile ${name}: ${session ? `sso-session ${session}` : "it"} has no sso_start_url and sso_region`,
    );
  const token = await readToken(session ?? start, name, world);
  const base = world.env["AWS_ENDPOINT_URL_SSO"] || `https://portal.sso.${region}.amazonaws.com`;
  const url = new URL("/federation/credentials", base);
  url.searchParams.set("account_id", account);
  url.searchParams.set("role_name", role);
  const request = { method: "GET", url, headers: { "x-amz-sso_bearer_token": token } } as const;
  const keys = keysOf(await askAws(request, `profile ${name}`, farawayService, world, call));
  if (keys) return keys;
  throw new KilnError("CACHE_FAILED", `AWS told no keys for role ${role} of profile ${name}`);
}

/** The token in the file that AWS's tools name after the session, or the address where people sign on. */
async function readToken(key: string, profile: string, { env, now }: AwsWorld): Promise<string> {
  const value = await readCached(key, env);
  const { accessToken: token, expiresAt: end } = value;
  const expires = typeof end === "string" ? new Date(end).getTime() : Number.NaN;
  if (typeof token === "string" && expires > now().getTime()) return token;
  const why = token === undefined ? "nobody has signed on" : "the sign-on has run out";
  throw new KilnError("CONFIG_INVALID", `AWS profile ${profile}: ${why}`, {
    hint: `run: aws sso login --profile ${profile}`,
  });
}

async function readCached(
  key: string,
  env: Environment,
): Promise<Readonly<Record<string, unknown>>> {
  const file = `${createHash("sha1").update(key).digest("hex")}.json`;
  const path = join(awsHome(env), "sso", "cache", file);
  return answerMembers(await readFile(path, "utf8").catch(() => ""));
}

function keysOf(answer: string): AwsKeys | undefined {
  const { roleCredentials: lent } = answerMembers(answer);
  if (!isRecord(lent)) return undefined;
  const { accessKeyId: id, secretAccessKey: secret, sessionToken: token, expiration } = lent;
  if (typeof id !== "string" || typeof secret !== "string") return undefined;
  return {
    id,
    secret,
    token: typeof token === "string" ? token : undefined,
    expires: typeof expiration === "number" ? new Date(expiration) : undefined,
  };
}
