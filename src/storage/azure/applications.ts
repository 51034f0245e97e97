// Applications that are registered with Azure prove who they are: by a secret, a certificate, or a token of their platform.
import { Buffer } from "node:buffer";
import { createHash, createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Call, KilnError } from "../../base/index.ts";
import { farawayService } from "../http/index.ts";
import { type AzureToken, type AzureWorld, askToken, storageResource } from "./services.ts";

/** How long a proof made from a certificate holds, in seconds. */
const proofTime = 600;

interface Application {
  readonly tenant: string;
  readonly client: string;
  /** Where tokens are asked for. */
  readonly endpoint: URL;
}

/** `AZURE_CLIENT_SECRET` or `AZURE_CLIENT_CERTIFICATE_PATH`. */
export async function applicationToken(
  world: AzureWorld,
  call: Call,
): Promise<AzureToken | undefined> {
  const { env } = world;
  const application = readApplication(world);
  if (!application) return undefined;
  const secret = env["AZURE_CLIENT_SECRET"];
  if (secret) return await exchange(application, { client_secret: secret }, world, call);
  const file = env["AZURE_CLIENT_CERTIFICATE_PATH"];
  if (!file) return undefined;
  const password = env["AZURE_CLIENT_CERTIFICATE_PASSWORD"];
  const proof = certificateProof(application, { file, pem: await read(file), password }, world);
  return await exchange(application, asAssertion(proof), world, call);
}

/** What Kubernetes, or a CI system, says of the workload: `AZURE_FEDERATED_TOKEN_FILE`. */
export async function workloadToken(
  world: AzureWorld,
  call: Call,
): Promise<AzureToken | undefined> {
  const file = world.env["AZURE_FEDERATED_TOKEN_FILE"];
  const application = readApplication(world);
  if (!file || !application) return undefined;
  return await exchange(application, asAssertion((await read(file)).trim()), world, call);
}

function readApplication({ env }: AzureWorld): Application | undefined {
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client } = env;
  if (!tenant || !client) return undefined;
  const authority = env["AZURE_AUTHORITY_HOST"] || "https://login.microsoftonline.com/";
  const base = authority.includes("://") ? authority : `https://${authority}`;
  const path = `${encodeURIComponent(tenant)}/oauth2/v2.0/token`;
  if (!URL.canParse(path, base))
    throw new KilnError("CONFIG_INVALID", "AZURE_AUTHORITY_HOST is no URL");
  return { tenant, client, endpoint: new URL(path, base.replace(/\/?$/, "/")) };
}

function asAssertion(token: string): Readonly<Record<string, string>> {
  return {
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: token,
  };
}

/** OAuth 2.0, client credentials (RFC 6749, section 4.4). */
async function exchange(
  { client, endpoint: url }: Application,
  proof: Readonly<Record<string, string>>,
  world: AzureWorld,
  call: Call,
): Promise<AzureToken> {
  const scope = `${storageResource}.default`;
  const body = { grant_type: "client_credentials", client_id: client, scope, ...proof };
  const data = new TextEncoder().encode(new URLSearchParams(body).toString());
  const open = async function* () {
    yield data;
  };
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    "content-length": String(data.length),
  };
  const request = { method: "POST", url, headers, body: { size: data.length, open } } as const;
  return await askToken(request, `application ${client}`, farawayService, world, call);
}

interface Certificate {
  readonly file: string;
  /** The certificate and its key. */
  readonly pem: string;
  /** Of the key. */
  readonly password: string | undefined;
}

/** A JSON Web Token that only the owner of the certificate's key can make (RFC 7523). */
function certificateProof(
  { client, endpoint }: Application,
  { file, pem, password }: Certificate,
  { now }: AzureWorld,
): string {
  try {
    const thumbprint = createHash("sha1").update(new X509Certificate(pem).raw);
    const start = Math.floor(now().getTime() / 1000);
    const header = { alg: "RS256", typ: "JWT", x5t: thumbprint.digest("base64url") };
    const times = { nbf: start, iat: start, exp: start + proofTime };
    const claims = { aud: endpoint.href, iss: client, sub: client, jti: randomUUID(), ...times };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part(header)}.${part(claims)}`;
    const key = createPrivateKey({ key: pem, ...(password ? { passphrase: password } : {}) });
    return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
  } catch (cause) {
    throw new KilnError(
      "CONFIG_INVALID",
      `AZURE_CLIENT_CERTIFICATE_PATH: ${file} is no certificate with its key, as PEM`,
      { cause },
    );
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new KilnError("CONFIG_INVALID", `reading ${file} for Azure: ${code}`, { cause });
  }
}
