// Who this is to AWS: the order of the places where keys are looked for, and what each of them says.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AnsweringServer, startAnswering } from "../../../test/kit/answering-server.ts";
import { uncancelled } from "../../base/index.ts";
import { Connections } from "../http/index.ts";
import { awsRegion, createAwsIdentity } from "./index.ts";

let home: string;
let server: AnsweringServer;
let url: string;
let requests: AnsweringServer["requests"];
let answers: AnsweringServer["answers"];

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "kiln-aws-"));
  server = await startAnswering();
  ({ url, requests, answers } = server);
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

type Env = Readonly<Record<string, string>>;

/** No machine's service answers unless a test names one. */
const world = (env: Env, now = () => new Date("2026-05-06T07:08:09Z")) => ({
  env: { HOME: home, AWS_EC2_METADATA_SERVICE_ENDPOINT: `${url}/none`, ...env },
  connections: new Connections({}),
  now,
});
const keysOf = (env: Env) => createAwsIdentity(world(env)).keys(uncancelled);

function file(name: string, text: string): string {
  const path = join(home, name);
  writeFileSync(path, text);
  return path;
}

const lent = (expires = "2026-05-06T09:00:00Z") =>
  `<R><C><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${expires}</Expiration></C></R>`;

test("nothing anywhere is nobody", async () => {
  expect(await keysOf({})).toBeUndefined();
});

test("the environment comes first", async () => {
  const config = file(
    "config",
    "[default]\naws_access_key_id = other\naws_secret_access_key = x\n",
  );
  const env = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "s", AWS_SESSION_TOKEN: "t" };
  expect(await keysOf({ ...env, AWS_CONFIG_FILE: config })).toMatchObject({ id: "id", token: "t" });
});

describe("a profile", () => {
  test("has keys in either file, of which the credentials file wins, and a region", async () => {
    const env = {
      AWS_PROFILE: "work",
      AWS_CONFIG_FILE: file(
        "config",
        "# comment\n[default]\nregion=eu-west-1\n[profile work]\nregion = us-east-2 ; here\naws_access_key_id=a\naws_secret_access_key=b\ns3 =\n  addressing_style = path\n",
      ),
      AWS_SHARED_CREDENTIALS_FILE: file(
        "credentials",
        "[work]\r\naws_access_key_id = c\r\naws_secret_access_key = d=e\r\n",
      ),
    };
    expect(await keysOf(env)).toMatchObject({ id: "c", secret: "d=e", token: undefined });
    expect(awsRegion({ HOME: home, ...env })).toBe("us-east-2");
    expect(awsRegion({ HOME: home, ...env, AWS_REGION: "eu-north-1" })).toBe("eu-north-1");
  });

  test("may have a program that tells keys", async () => {
    const answer = '{"Version":1,"AccessKeyId":"p","SecretAccessKey":"q","SessionToken":"r"}';
    const config = file("config", `[default]\ncredential_process = echo '${answer}'\n`);
    expect(await keysOf({ AWS_CONFIG_FILE: config, PATH: "/usr/bin:/bin" })).toMatchObject({
      id: "p",
      token: "r",
    });
    const broken = file("config", "[default]\ncredential_process = exit 3\n");
    await expect(keysOf({ AWS_CONFIG_FILE: broken })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });

  test("may take on a role with another's keys, signed for the token service", async () => {
    answers["POST /"] = lent();
    const config = file(
      "config",
      "[profile ci]\nrole_arn = arn:aws:iam::1:role/ci\nsource_profile = base\nregion = eu-west-1\n[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n",
    );
    const env = { AWS_PROFILE: "ci", AWS_CONFIG_FILE: config, AWS_ENDPOINT_URL_STS: url };
    expect(await keysOf(env)).toMatchObject({ id: "ASIA", secret: "s", token: "t" });
    expect(requests[0]?.headers.authorization).toContain("Credential=a/20260506/eu-west-1/sts/");
    expect(new URLSearchParams(requests[0]?.body).get("RoleArn")).toBe("arn:aws:iam::1:role/ci");
  });

  test("of somebody who has signed on gets keys for the token that was left behind", async () => {
    answers["GET /federation/credentials?account_id=12&role_name=builder"] =
      '{"roleCredentials":{"accessKeyId":"i","secretAccessKey":"j","sessionToken":"k","expiration":1778058000000}}';
    const config = file(
      "config",
      "[profile dev]\nsso_session = team\nsso_account_id = 12\nsso_role_name = builder\n[sso-session team]\nsso_region = eu-west-1\nsso_start_url = https://team.awsapps.example/start\n",
    );
    const env = { AWS_PROFILE: "dev", AWS_CONFIG_FILE: config, AWS_ENDPOINT_URL_SSO: url };
    await expect(keysOf(env)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      hint: "run: aws sso login --profile dev",
    });
    // The file's name is the SHA-1 of "team".
    const cache = join(home, ".aws", "sso", "cache");
    const left = join(cache, `${createHash("sha1").update("team").digest("hex")}.json`);
    mkdirSync(cache, { recursive: true });
    writeFileSync(left, '{"accessToken":"b","expiresAt":"2026-05-06T08:00:00Z"}');
    expect(await keysOf(env)).toEqual({
      id: "i",
      secret: "j",
      token: "k",
      expires: new Date(1778058000000),
    });
    expect(requests[0]?.headers["x-amz-sso_bearer_token"]).toBe("b");
    writeFileSync(left, '{"accessToken":"b","expiresAt":"2026-05-06T07:00:00Z"}');
    await expect(keysOf(env)).rejects.toThrow(/run out/);
  });

  test("whose roles lead in a circle is refused", async () => {
    const config = file(
      "config",
      "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\nsource_profile = a\n",
    );
    await expect(keysOf({ AWS_PROFILE: "a", AWS_CONFIG_FILE: config })).rejects.toThrow(/circle/);
  });
});

test("a web identity's token becomes keys, which are fetched anew before they run out", async () => {
  answers["POST /"] = lent("2026-05-06T07:20:00Z");
  let time = new Date("2026-05-06T07:08:09Z");
  const env = {
    AWS_WEB_IDENTITY_TOKEN_FILE: file("token", "a.b.c\n"),
    AWS_ROLE_ARN: "arn:aws:iam::1:role/ci",
    AWS_ENDPOINT_URL_STS: url,
  };
  const identity = createAwsIdentity(world(env, () => time));
  expect(await identity.keys(uncancelled)).toMatchObject({ id: "ASIA" });
  await identity.keys(uncancelled);
  expect(requests).toHaveLength(1);
  expect(new URLSearchParams(requests[0]?.body).get("WebIdentityToken")).toBe("a.b.c");
  expect(requests[0]?.headers.authorization).toBeUndefined();
  time = new Date("2026-05-06T07:16:00Z");
  await identity.keys(uncancelled);
  expect(requests).toHaveLength(2);
});

test("a container is told where to ask, and its token goes to nobody else in the clear", async () => {
  answers["GET /creds"] = '{"AccessKeyId":"c","SecretAccessKey":"d","Token":"e"}';
  const token = { AWS_CONTAINER_AUTHORIZATION_TOKEN: "secret" };
  const env = { ...token, AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/creds` };
  expect(await keysOf(env)).toMatchObject({ id: "c", token: "e" });
  expect(requests[0]?.headers.authorization).toBe("secret");
  const elsewhere = { ...token, AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://example.com/creds" };
  await expect(keysOf(elsewhere)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

test("a machine of EC2 tells its role's keys to who has asked for a token first", async () => {
  answers["PUT /latest/api/token"] = "session";
  const place = "/latest/meta-data/iam/security-credentials/";
  answers[`GET ${place}`] = "builder\n";
  answers[`GET ${place}builder`] = '{"AccessKeyId":"m","SecretAccessKey":"n","Token":"o"}';
  const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: url };
  expect(await keysOf(env)).toMatchObject({ id: "m", token: "o" });
  expect(requests.map(({ headers }) => headers["x-aws-ec2-metadata-token"])).toEqual([
    undefined,
    "session",
    "session",
  ]);
  expect(await keysOf({ ...env, AWS_EC2_METADATA_DISABLED: "true" })).toBeUndefined();
});
