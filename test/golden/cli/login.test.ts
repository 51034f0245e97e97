// `kiln login` and `kiln logout`: what they try, what they keep, and what they leave alone.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startRegistry, type TestRegistry } from "../../kit/registry.ts";
import { runKiln, type Stage } from "./world.ts";

const account = { username: "me", password: "pa:ss" };
let directory: string;
let registries: TestRegistry[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-login-"));
  registries = [];
});
afterEach(async () => {
  for (const registry of registries) await registry[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function registryWith(rules: { kind: "basic" | "token"; identityToken?: string }): Promise<TestRegistry> {
  const registry = await startRegistry({ auth: { ...account, ...rules } });
  registries.push(registry);
  return registry;
}
const kiln = (argv: readonly string[], stage: Stage = {}) =>
  runKiln(argv, { ...stage, env: { DOCKER_CONFIG: directory, PATH: `${directory}:${process.env["PATH"]}`, ...stage.env } });
const logIn = (host: string, password = account.password, stage: Stage = {}) =>
  kiln(["login", host, "-u", account.username, "--password-stdin"], { stdin: `${password}\n`, ...stage });
const configFile = () => join(directory, "config.json");
const config = () => JSON.parse(readFileSync(configFile(), "utf8")) as Record<string, unknown>;
const auth = btoa(`${account.username}:${account.password}`);

describe("login", () => {
  it.each(["basic", "token"] as const)("tries %s credentials and keeps them", async (kind) => {
    const { host } = await registryWith({ kind });
    const { exitCode, stdout, stderr } = await logIn(host);
    expect([exitCode, stdout]).toEqual([0, "Login Succeeded\n"]);
    expect(stderr).toContain("stored unencrypted");
    expect(config()).toEqual({ auths: { [host]: { auth } } });
    expect(statSync(configFile()).mode & 0o777).toBe(0o600);
    // They are what later commands use.
    expect((await kiln(["login", host])).stdout).toBe("Authenticating with existing credentials...\nLogin Succeeded\n");
  });

  it.each(["basic", "token"] as const)("keeps nothing that a %s registry refuses", async (kind) => {
    const { host } = await registryWith({ kind });
    const { exitCode, stderr } = await logIn(host, "wrong");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("REGISTRY_DENIED");
    expect(stderr).toContain("Nothing was kept.");
    expect(() => config()).toThrow();
  });

  it("keeps the token that it is given for the password", async () => {
    const { host } = await registryWith({ kind: "token", identityToken: "long-lived" });
    expect((await logIn(host)).exitCode).toBe(0);
    expect(config()).toEqual({ auths: { [host]: { auth: btoa("me:"), identitytoken: "long-lived" } } });
    expect((await kiln(["login", host])).exitCode).toBe(0);
  });

  it("takes hosts as people write them, and leaves every other byte of the file as it is", async () => {
    const { host, url } = await registryWith({ kind: "basic" });
    const before = '{\n    "auths" : {"other.example":  { "auth":"eDp5" }},\n    "HttpHeaders": {"X": "\\u0041"}, "psFormat": "x"\n}\n';
    writeFileSync(configFile(), before);
    expect((await logIn(`${url}/v2/`)).exitCode).toBe(0);
    const entry = `,\n        "${host}": {\n            "auth": "${auth}"\n        }`;
    expect(readFileSync(configFile(), "utf8")).toBe(before.replace('"eDp5" }', `"eDp5" }${entry}`));
  });

  it("writes through a link", async () => {
    const { host } = await registryWith({ kind: "basic" });
    mkdirSync(join(directory, "real"));
    writeFileSync(join(directory, "real/config.json"), "{}", { mode: 0o644 });
    symlinkSync("real/config.json", configFile());
    await logIn(host);
    expect(readFileSync(join(directory, "real/config.json"), "utf8")).toContain(host);
    expect(statSync(join(directory, "real/config.json")).mode & 0o777).toBe(0o600);
  });

  it("warns of passwords on the command line", async () => {
    const { host } = await registryWith({ kind: "basic" });
    const { exitCode, stderr } = await kiln(["login", "-u", account.username, "-p", account.password, host]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("use --password-stdin");
    expect(stderr).not.toContain(account.password);
  });

  it("reads the variables of CI systems, without a login before", async () => {
    const { host } = await registryWith({ kind: "token" });
    const named = { CI_REGISTRY: host, GITLAB_CI: "true" };
    const check = async (env: Record<string, string>) => (await kiln(["login", host], { env })).exitCode;
    expect(await check({ ...named, CI_REGISTRY_USER: "me", CI_REGISTRY_PASSWORD: account.password })).toBe(0);
    expect(await check({ DOCKER_REGISTRY: `https://${host}/`, DOCKER_USERNAME: "me", DOCKER_PASSWORD: account.password })).toBe(0);
    expect(await check({ DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [host]: { auth } } }) })).toBe(0);
    expect(await check({ ...named, CI_JOB_TOKEN: "not me" })).toBe(1);
    expect(await check({})).toBe(1);
  });

  it.each([
    [["login", "-u", "me", "example.com"], "--username needs a password"],
    [["login", "--password-stdin", "example.com"], "--password-stdin needs --username"],
    [["login", "-u", "me", "-p", "x", "--password-stdin", "example.com"], "contradict each other"],
    [["login", "-u", "me", "--password-stdin", "example.com"], "is empty"],
    [["login", "example.com"], "there are no credentials for example.com yet"],
  ])("refuses %j", async (argv, message) => {
    const { exitCode, stderr } = await kiln(argv);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(message)]);
  });
});

describe("a credential helper", () => {
  /** Keeps what it is told in files beside itself. */
  const helper = `#!/bin/sh
dir=$(dirname "$0"); input=$(cat); printf '%s %s\\n' "$1" "$input" >> "$dir/told"
case "$1" in
store) printf '%s' "$input" > "$dir/kept" ;;
get) if [ -f "$dir/kept" ]; then sed 's/"ServerURL":"[^"]*",//' "$dir/kept"; else echo 'credentials not found in native keychain'; exit 1; fi ;;
erase) rm -f "$dir/kept" ;;
esac
`;
  beforeEach(() => {
    writeFileSync(join(directory, "docker-credential-test"), helper);
    chmodSync(join(directory, "docker-credential-test"), 0o755);
    writeFileSync(configFile(), '{"credsStore": "test"}');
  });

  it("gets the secret, and the file only the name of the host", async () => {
    const { host } = await registryWith({ kind: "basic" });
    const { stderr, exitCode } = await logIn(host);
    expect([stderr, exitCode]).toEqual(["", 0]);
    expect(config()).toEqual({ credsStore: "test", auths: { [host]: {} } });
    expect(JSON.parse(readFileSync(join(directory, "kept"), "utf8"))).toEqual({ ServerURL: host, Username: "me", Secret: account.password });
    expect((await kiln(["login", host])).exitCode).toBe(0);
    expect((await kiln(["logout", host])).stdout).toBe(`Removing login credentials for ${host}\n`);
    expect(readFileSync(join(directory, "told"), "utf8")).toMatch(new RegExp(`erase ${host}\\n$`));
    expect((await kiln(["login", host])).exitCode).toBe(1);
  });

  it("that fails is an error, and the file stays", async () => {
    writeFileSync(join(directory, "docker-credential-test"), "#!/bin/sh\ncat >/dev/null\necho no space\nexit 1\n");
    const { host } = await registryWith({ kind: "basic" });
    const { exitCode, stderr } = await logIn(host);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("docker-credential-test store failed: no space")]);
    expect(readFileSync(configFile(), "utf8")).toBe('{"credsStore": "test"}');
  });
});

describe("logout", () => {
  it("takes a host out of the file under all its names, and nothing else", async () => {
    writeFileSync(configFile(), '{"auths":{"https://index.docker.io/v1/":{"auth":"eDp5"}, "a.example":{"auth":"eDp5"},"https://a.example":{}},"x":1}');
    expect((await kiln(["logout", "a.example"])).stdout).toBe("Removing login credentials for a.example\n");
    expect(readFileSync(configFile(), "utf8")).toBe('{"auths":{"https://index.docker.io/v1/":{"auth":"eDp5"}},"x":1}');
    expect((await kiln(["logout"])).stdout).toBe("Removing login credentials for docker.io\n");
    expect(readFileSync(configFile(), "utf8")).toBe('{"auths":{},"x":1}');
    expect((await kiln(["logout"])).stdout).toBe("Not logged in to docker.io\n");
  });
});
