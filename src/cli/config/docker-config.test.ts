// Docker's credentials: the file, the variable, the helpers.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { uncancelled as call } from "../../base/index.ts";
import { createDockerCredentials } from "./index.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "kiln-docker-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const config = (document: unknown) =>
  writeFileSync(
    join(home, "config.json"),
    typeof document === "string" ? document : JSON.stringify(document),
  );
const ask = (host: string, environment: Record<string, string> = {}) =>
  createDockerCredentials({
    DOCKER_CONFIG: home,
    PATH: `${home}/bin:${process.env["PATH"]}`,
    ...environment,
  }).credentials(host, call);
const pair = (text: string) => ({ auth: btoa(text) });
const helper = (name: string, script: string) => {
  mkdirSync(join(home, "bin"), { recursive: true });
  const path = join(home, "bin", `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
};

describe("the file", () => {
  test("has name and password by host, the hub under its old address", async () => {
    config({
      auths: {
        "https://index.docker.io/v1/": pair("me:a:b"),
        "ghcr.io": pair("you:pw\0\0"),
        "https://old.example/v2/": pair("x:y"),
      },
    });
    expect(await ask("docker.io")).toEqual({ username: "me", password: "a:b" });
    expect(await ask("ghcr.io")).toEqual({ username: "you", password: "pw" });
    expect(await ask("old.example")).toEqual({ username: "x", password: "y" });
    expect(await ask("other.example")).toBeUndefined();
    expect(await ask("ghcr.io:5000")).toBeUndefined();
  });

  test("has tokens", async () => {
    config({
      auths: {
        a: { ...pair("me:x"), identitytoken: "refresh" },
        b: { registrytoken: "bearer" },
        c: { username: "u", password: "p" },
      },
    });
    expect(await ask("a")).toEqual({ username: "me", password: "x", identityToken: "refresh" });
    expect(await ask("b")).toEqual({ registryToken: "bearer" });
    expect(await ask("c")).toEqual({ username: "u", password: "p" });
  });

  test("may be absent, empty, or hold empty entries", async () => {
    expect(await ask("docker.io")).toBeUndefined();
    config("");
    expect(await ask("docker.io")).toBeUndefined();
    config({ auths: { "https://index.docker.io/v1/": {}, __proto__: {} } });
    expect(await ask("docker.io")).toBeUndefined();
  });

  test("that is broken is named with its line, without its secrets", async () => {
    config('{\n  "auths": {\n    "a": { "auth": "c2VjcmV0" "x" }\n  }\n}');
    const error: unknown = await ask("a").catch((one: unknown) => one);
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("config.json:3: "),
    });
    expect(String(error)).not.toContain("c2VjcmV0");
    config({ auths: { a: { auth: "not base64!" } } });
    await expect(ask("a")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    config({ auths: { a: pair("no colon") } });
    await expect(ask("a")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

test("DOCKER_AUTH_CONFIG comes before the file, for the hosts that it knows", async () => {
  config({ auths: { a: pair("file:1"), b: pair("file:2") } });
  const environment = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { a: pair("variable:1") } }) };
  expect(await ask("a", environment)).toMatchObject({ username: "variable" });
  expect(await ask("b", environment)).toMatchObject({ username: "file" });
  await expect(ask("a", { DOCKER_AUTH_CONFIG: "{" })).rejects.toThrow(/DOCKER_AUTH_CONFIG/);
});

test("a GitLab job may use its project's registry without logging in", async () => {
  const environment = {
    GITLAB_CI: "true",
    CI_REGISTRY: "reg.example:5050",
    CI_REGISTRY_USER: "job",
    CI_REGISTRY_PASSWORD: "token",
  };
  expect(await ask("reg.example:5050", environment)).toEqual({
    username: "job",
    password: "token",
  });
  expect(await ask("reg.example", environment)).toBeUndefined();
  config({ auths: { "reg.example:5050": pair("own:login") } });
  expect(await ask("reg.example:5050", environment)).toMatchObject({ username: "own" });
});

describe("a helper", () => {
  const answer = '{"ServerURL":"x","Username":"me","Secret":"s3"}';

  test("is asked with the server on its input", async () => {
    config({ credsStore: "store" });
    helper(
      "store",
      `[ "$1" = get ] && read server && echo "{\\"Username\\":\\"$server\\",\\"Secret\\":\\"s\\"}"`,
    );
    expect(await ask("docker.io")).toEqual({
      username: "https://index.docker.io/v1/",
      password: "s",
    });
    expect(await ask("ghcr.io")).toEqual({ username: "ghcr.io", password: "s" });
  });

  test("of a host comes before the store", async () => {
    config({ credsStore: "none", credHelpers: { "https://a.example": "own" } });
    helper("own", `echo '${answer}'`);
    expect(await ask("a.example")).toEqual({ username: "me", password: "s3" });
  });

  test("may answer with a refresh token", async () => {
    config({ credsStore: "store" });
    helper("store", `echo '{"Username":"<token>","Secret":"refresh"}'`);
    expect(await ask("a")).toEqual({ identityToken: "refresh" });
  });

  test("that knows nothing leaves it to the file", async () => {
    config({ credsStore: "store", auths: { b: pair("file:1") } });
    helper("store", "echo 'credentials not found in native keychain'; exit 1");
    expect(await ask("a")).toBeUndefined();
    expect(await ask("b")).toMatchObject({ username: "file" });
  });

  test("that is not installed is named, with the file that names it", async () => {
    config({ credsStore: "none" });
    await expect(ask("a")).rejects.toMatchObject({
      code: "CREDENTIALS_FAILED",
      message: expect.stringContaining("docker-credential-none"),
      hint: expect.stringContaining(join(home, "config.json")),
    });
  });

  test.each([
    ["fails", "echo 'no \u001b[31msession'; exit 3", /no \[31msession/],
    ["talks nonsense", "echo hello", /did not answer in JSON/],
    ["leaves out the secret", "echo '{}'", /without Username and Secret/],
    ["never stops talking", "while :; do printf '%01000d' 0; done", /more than/],
  ])("that %s is an error", async (_, script, words) => {
    config({ credsStore: "store" });
    helper("store", script);
    await expect(ask("a")).rejects.toMatchObject({
      code: "CREDENTIALS_FAILED",
      message: expect.stringMatching(words),
    });
  });

  test("cannot be a path", async () => {
    config({ credsStore: "../../bin/sh" });
    await expect(ask("a")).rejects.toMatchObject({ code: "CREDENTIALS_FAILED" });
  });

  test("is ended when the call is cancelled", async () => {
    config({ credsStore: "store" });
    helper("store", "exec sleep 60");
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    const docker = createDockerCredentials({
      DOCKER_CONFIG: home,
      PATH: `${home}/bin:${process.env["PATH"]}`,
    });
    await expect(docker.credentials("a", { signal: controller.signal })).rejects.toThrow("enough");
  });
});
