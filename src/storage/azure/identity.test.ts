// Who this is to Azure: the order of the places where tokens are looked for, and what each of them is asked.
import { execFileSync } from "node:child_process";
import { createPublicKey, verify, X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AnsweringServer, startAnswering } from "../../../test/kit/answering-server.ts";
import { uncancelled } from "../../base/index.ts";
import { Connections } from "../http/index.ts";
import { createAzureIdentity } from "./index.ts";

let home: string;
let server: AnsweringServer;
let url: string;
let requests: AnsweringServer["requests"];
let answers: AnsweringServer["answers"];

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "kiln-azure-"));
  server = await startAnswering();
  ({ url, requests, answers } = server);
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

type Env = Readonly<Record<string, string>>;

const start = new Date("2026-05-06T07:08:09Z");

/** No machine's service answers, and no program is there, unless a test names one. */
const identityOf = (env: Env, now = () => start) =>
  createAzureIdentity({
    env: { PATH: home, AZURE_POD_IDENTITY_AUTHORITY_HOST: `${url}/none`, ...env },
    connections: new Connections({}),
    now,
  });
const tokenOf = (env: Env) => identityOf(env).token(uncancelled);

function file(name: string, text: string): string {
  const path = join(home, name);
  writeFileSync(path, text);
  return path;
}

const application = () => ({
  AZURE_TENANT_ID: "tenant",
  AZURE_CLIENT_ID: "app",
  AZURE_AUTHORITY_HOST: url,
});
const tokenPath = "POST /tenant/oauth2/v2.0/token";
const lent = '{"token_type":"Bearer","expires_in":3599,"access_token":"t"}';
const form = () => Object.fromEntries(new URLSearchParams(requests[0]?.body));

test("nothing anywhere is nobody", async () => {
  expect(await tokenOf({})).toBeUndefined();
});

test("an application's secret becomes a token for storage, which is asked for anew before it runs out", async () => {
  answers[tokenPath] = lent;
  let time = start;
  const identity = identityOf({ ...application(), AZURE_CLIENT_SECRET: "s&s" }, () => time);
  const expires = new Date(start.getTime() + 3_599_000);
  const both = [identity.token(uncancelled), identity.token(uncancelled)];
  expect(await Promise.all(both)).toEqual(Array(2).fill({ value: "t", expires }));
  expect(requests).toHaveLength(1);
  expect(form()).toEqual({
    grant_type: "client_credentials",
    client_id: "app",
    client_secret: "s&s",
    scope: "https://storage.azure.com/.default",
  });
  time = new Date(start.getTime() + 3_400_000);
  await identity.token(uncancelled);
  expect(requests).toHaveLength(2);
});

test("a refusal is told in Azure's own words, without what identifies the request", async () => {
  answers[tokenPath] =
    '{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret.\\r\\nTrace ID: 1"}';
  const refused = tokenOf({ ...application(), AZURE_CLIENT_SECRET: "hidden" });
  await expect(refused).rejects.toMatchObject({
    code: "CACHE_FAILED",
    message: expect.stringMatching(/status 400 \(invalid_client: AADSTS7000215[^T]*secret\.\)$/),
  });
  await expect(refused).rejects.not.toThrow(/hidden/);
});

test("an application's certificate signs a proof that holds for this endpoint alone", async () => {
  answers[tokenPath] = lent;
  const [key, pem] = [join(home, "key.pem"), join(home, "cert.pem")];
  const asked = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kiln"];
  execFileSync("openssl", [...asked, "-keyout", key, "-out", pem], { stdio: "ignore" });
  const certificate = readFileSync(pem, "utf8");
  const both = file("both.pem", `${readFileSync(key, "utf8")}${certificate}`);
  await tokenOf({ ...application(), AZURE_CLIENT_CERTIFICATE_PATH: both });
  const [header = "", claims = "", signature = ""] = form()["client_assertion"]?.split(".") ?? [];
  const owner = createPublicKey(
    new X509Certificate(certificate).publicKey.export({ type: "spki", format: "pem" }),
  );
  expect(
    verify(
      "sha256",
      new TextEncoder().encode(`${header}.${claims}`),
      owner,
      Uint8Array.from(atob(signature.replaceAll("-", "+").replaceAll("_", "/")), (byte) =>
        byte.charCodeAt(0),
      ),
    ),
  ).toBe(true);
  expect(JSON.parse(atob(claims))).toMatchObject({
    aud: `${url}/tenant/oauth2/v2.0/token`,
    iss: "app",
    sub: "app",
    exp: start.getTime() / 1000 + 600,
  });
  const broken = { ...application(), AZURE_CLIENT_CERTIFICATE_PATH: file("no.pem", "none") };
  await expect(tokenOf(broken)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

test("a workload shows the token of its platform", async () => {
  answers[tokenPath] = lent;
  const token = file("token", "a.b.c\n");
  const found = await tokenOf({ ...application(), AZURE_FEDERATED_TOKEN_FILE: token });
  expect(found).toMatchObject({ value: "t" });
  expect(form()).toMatchObject({
    client_assertion: "a.b.c",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  });
  const missing = { ...application(), AZURE_FEDERATED_TOKEN_FILE: join(home, "gone") };
  await expect(tokenOf(missing)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

test("a service asks where it is told to, and says its word to nobody else in the clear", async () => {
  answers["GET /token"] = '{"access_token":"s","expires_on":"1778055000"}';
  const env = { IDENTITY_ENDPOINT: `${url}/token`, IDENTITY_HEADER: "word" };
  expect(await tokenOf(env)).toEqual({ value: "s", expires: new Date(1_778_055_000_000) });
  expect(requests[0]?.headers["x-identity-header"]).toBe("word");
  const elsewhere = { ...env, IDENTITY_ENDPOINT: "http://example.com/token" };
  await expect(tokenOf(elsewhere)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

test("a machine's identity is asked for by the client that is meant", async () => {
  answers["GET /metadata/identity/oauth2/token"] = '{"access_token":"m","expires_in":"3600"}';
  const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: url, AZURE_CLIENT_ID: "one" };
  expect(await tokenOf(env)).toMatchObject({ value: "m" });
  expect(requests[0]?.headers["metadata"]).toBe("true");
  const { searchParams } = new URL(requests[0]?.line.split(" ")[1] ?? "", url);
  expect(Object.fromEntries(searchParams)).toEqual({
    "api-version": "2018-02-01",
    resource: "https://storage.azure.com/",
    client_id: "one",
  });
});

test("whoever is logged in comes last", async () => {
  const az = (script: string) => chmodSync(file("az", `#!/bin/sh\n${script}\n`), 0o755);
  az(`echo '{"accessToken":"z","expires_on":1778055000,"expiresOn":"2026-05-06 08:10:00.000000"}'`);
  expect(await tokenOf({})).toEqual({ value: "z", expires: new Date(1_778_055_000_000) });
  az(`echo "ERROR: Please run 'az login' to setup account." >&2; exit 1`);
  expect(await tokenOf({})).toBeUndefined();
  az("echo 'ERROR: no network' >&2; exit 1");
  await expect(tokenOf({})).rejects.toThrow("no network");
});
