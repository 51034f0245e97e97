// Services of AWS that lend keys: to containers and machines, from next door, and to those who may take on a role.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Call, KilnError } from "../../base/index.ts";
import {
  answerMembers,
  askText,
  type Connections,
  farawayService,
  type HttpRequest,
  nearbyService,
  type Question,
} from "../http/index.ts";
import { awsRegion, type Environment } from "./profiles.ts";
import { type SigningKeys, signAws } from "./sign.ts";

/** Keys, and until when they are good where that is limited. */
export interface AwsKeys extends SigningKeys {
  readonly expires: Date | undefined;
}

export interface AwsWorld {
  readonly env: Environment;
  /** To AWS itself. What is next door is asked directly, whatever proxies there are. */
  readonly connections: Connections;
  readonly now: () => Date;
}

/** A role to be taken on, and the name of the session as AWS's logs show it. */
export interface Role {
  readonly role: string;
  readonly session?: string;
}

/** How long a role is lent, in seconds: what every role allows. */
const roleDuration = 3600;

/** ECS and EKS tell containers where to ask. */
export async function containerKeys(world: AwsWorld, call: Call): Promise<AwsKeys | undefined> {
  const { env } = world;
  const relative = env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
  const full = relative
    ? `http://169.254.170.2${relative}`
    : env["AWS_CONTAINER_CREDENTIALS_FULL_URI"];
  if (!full) return undefined;
  const file = env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
  const token = file ? await readToken(file) : env["AWS_CONTAINER_AUTHORIZATION_TOKEN"];
  const url = trustedUrl(full);
  const headers: Record<string, string> = token ? { authorization: token } : {};
  const answer = await askAws(
    { method: "GET", url, headers },
    "container",
    nearbyService,
    world,
    call,
  );
  return keysOf(answer, "Token");
}

/** A token must not go in the clear to anybody but the machine's own services. */
function trustedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const local = /^(localhost|127\.[\d.]+|\[::1\]|169\.254\.170\.(2|23)|\[fd00:ec2::23\])$/;
  if (url?.protocol === "https:" || (url?.protocol === "http:" && local.test(url.hostname)))
    return url;
  throw new KilnError(
    "CONFIG_INVALID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or on this machine",
  );
}

/** EC2's instance metadata, version 2. Undefined on other machines. */
export async function machineKeys(world: AwsWorld, call: Call): Promise<AwsKeys | undefined> {
  const { env } = world;
  if (/^true$/i.test(env["AWS_EC2_METADATA_DISABLED"] ?? "")) return undefined;
  const base = env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] || "http://169.254.169.254";
  const at = (path: string) => new URL(path, base.replace(/\/?$/, "/"));
  const get = (path: string, headers: Readonly<Record<string, string>>) =>
    askAws({ method: "GET", url: at(path), headers }, "machine", nearbyService, world, call);
  try {
    const token = await askAws(
      {
        method: "PUT",
        url: at("latest/api/token"),
        headers: { "x-aws-ec2-metadata-token-ttl-seconds": "21600", "content-length": "0" },
      },
      "machine",
      nearbyService,
      world,
      call,
    );
    const headers = { "x-aws-ec2-metadata-token": token };
    const place = "latest/meta-data/iam/security-credentials/";
    const [role = ""] = (await get(place, headers)).trim().split("\n");
    if (role === "") return undefined;
    return keysOf(await get(`${place}${role}`, headers), "Token");
  } catch {
    call.signal.throwIfAborted();
    // Most machines are none of AWS's: that nobody answers there is no failure.
    return undefined;
  }
}

export async function webIdentity(
  { file, role, session }: Role & { readonly file: string },
  world: AwsWorld,
  call: Call,
): Promise<AwsKeys> {
  const query = { Action: "AssumeRoleWithWebIdentity", WebIdentityToken: await readToken(file) };
  return await askTokenService(
    { role, ...(session ? { session } : {}) },
    query,
    undefined,
    world,
    call,
  );
}

export async function assumeRole(
  { external, ...role }: Role & { readonly external: string | undefined },
  keys: AwsKeys,
  world: AwsWorld,
  call: Call,
): Promise<AwsKeys> {
  const query = { Action: "AssumeRole", ...(external ? { ExternalId: external } : {}) };
  return await askTokenService(role, query, keys, world, call);
}

async function askTokenService(
  { role, session }: Role,
  query: Readonly<Record<string, string>>,
  keys: AwsKeys | undefined,
  world: AwsWorld,
  call: Call,
): Promise<AwsKeys> {
  const { env, now } = world;
  const region = awsRegion(env) ?? "us-east-1";
  const url = new URL(env["AWS_ENDPOINT_URL_STS"] || `https://sts.${region}.amazonaws.com/`);
  const body = new URLSearchParams({
    ...query,
    Version: "2011-06-15",
    RoleArn: role,
    RoleSessionName: session ?? `kiln-${now().getTime()}`,
    DurationSeconds: String(roleDuration),
  }).toString();
  const data = new TextEncoder().encode(body);
  const payload = createHash("sha256").update(data).digest("hex");
  const type = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
  const headers = signAws({
    ...{ method: "POST", url, payload, region, keys, headers: type, now: now() },
    service: "sts",
  });
  const open = async function* () {
    yield data;
  };
  const request = { method: "POST", url, headers, body: { size: data.length, open } } as const;
  const answer = await askAws(request, `role ${role}`, farawayService, world, call);
  const field = (name: string) => new RegExp(`<${name}>([^<]{1,8192})</${name}>`).exec(answer)?.[1];
  const [id, secret, token] = [
    field("AccessKeyId"),
    field("SecretAccessKey"),
    field("SessionToken"),
  ];
  if (!id || !secret)
    throw new KilnError("CACHE_FAILED", `AWS's token service told no keys for role ${role}`);
  const expires = field("Expiration");
  return { id, secret, token, expires: expires ? new Date(expires) : undefined };
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new KilnError("CONFIG_INVALID", `reading the token for AWS in ${file}: ${code}`, {
      cause,
    });
  }
}

/** The members that AWS's services and programs answer with. */
export function keysOf(text: string, tokenName: "Token" | "SessionToken"): AwsKeys | undefined {
  const value = answerMembers(text);
  const { AccessKeyId: id, SecretAccessKey: secret, Expiration: expires } = value;
  const token = value[tokenName];
  if (typeof id !== "string" || typeof secret !== "string") return undefined;
  return {
    id,
    secret,
    token: typeof token === "string" && token !== "" ? token : undefined,
    expires: typeof expires === "string" ? new Date(expires) : undefined,
  };
}

/** `patience` says whether it is next door. Throws `CACHE_FAILED`. */
export async function askAws(
  request: HttpRequest,
  whose: string,
  patience: Question["patience"],
  { connections }: AwsWorld,
  call: Call,
): Promise<string> {
  const doing = `asking AWS for the keys of the ${whose}`;
  const reason = (answer: string) => /<Code>([^<]{1,100})<\/Code>/.exec(answer)?.[1] ?? "";
  return await askText(request, { doing, patience, connections, reason }, call);
}
