// Kiln's configuration file and the state root: what is read, and where mistakes are found.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isKilnError, type KilnError } from "../../base/index.ts";
import { readConfig, stateRoot } from "./index.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "kiln-config-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  const path = join(home, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
};
const problem = async (text: string): Promise<KilnError> => {
  const path = write("kiln.toml", text);
  const error: unknown = await readConfig(path, {}).catch((one: unknown) => one);
  if (isKilnError(error, "CONFIG_INVALID")) return error;
  throw new Error(`accepted, or failed otherwise: ${String(error)}`);
};

describe("the file", () => {
  test("says how registries are reached, in the forms of buildkitd.toml", async () => {
    write("ca.pem", "AUTHORITY");
    write("k.pem", "KEY");
    write("c.pem", "CERT");
    const path = write(
      "kiln.toml",
      `debug = true
root = "state"
[registry."docker.io"]
  mirrors = ["mirror.example:5000", "registry.example/hub"]
[registry."mirror.example:5000"]
  http = true
  insecure = true
  ca = ["ca.pem"]
  [[registry."mirror.example:5000".keypair]]
    key = "k.pem"
    cert = "c.pem"
[worker.oci]
  gc = true
[cdi]
  specDirs = ["cdi"]
`,
    );
    expect(await readConfig(path, { KILN_CERTS_D: "" })).toEqual({
      daemon: expect.any(Function),
      file: path,
      root: join(home, "state"),
      gc: { enabled: true },
      lent: { cdi: { specDirs: [join(home, "cdi")] } },
      registries: {
        "docker.io": { mirrors: ["mirror.example:5000", "registry.example/hub"] },
        "mirror.example:5000": {
          http: true,
          insecure: true,
          ca: ["AUTHORITY"],
          keyPair: { key: "KEY", cert: "CERT" },
        },
      },
    });
  });

  test("may name directories in docker's certs.d layout", async () => {
    for (const [name, text] of Object.entries({
      "a.crt": "A",
      "b.crt": "B",
      "client.cert": "C",
      "client.key": "K",
    }))
      write(`certs/${name}`, text);
    const path = write("kiln.toml", '[registry."a.example"]\ntlsconfigdir = ["certs"]\n');
    expect((await readConfig(path, {})).registries["a.example"]).toEqual({
      ca: ["A", "B"],
      keyPair: { cert: "C", key: "K" },
    });
  });

  test("knows the hub by its other names", async () => {
    const path = write("kiln.toml", '[registry."registry-1.docker.io"]\nmirrors = ["m.example"]\n');
    expect(Object.keys((await readConfig(path, {})).registries)).toEqual(["docker.io"]);
  });
});

describe("where it is looked for", () => {
  test("is --config, then KILN_CONFIG, then the user's folder", async () => {
    const flag = write("flag.toml", 'root = "/flag"');
    const variable = write("variable.toml", 'root = "/variable"');
    write("kiln/kiln.toml", 'root = "/user"');
    const environment = { KILN_CONFIG: variable, XDG_CONFIG_HOME: home };
    expect((await readConfig(flag, environment)).root).toBe("/flag");
    expect((await readConfig(undefined, environment)).root).toBe("/variable");
    expect((await readConfig(undefined, { XDG_CONFIG_HOME: home })).root).toBe("/user");
    write(".config/kiln/kiln.toml", 'root = "/home"');
    expect((await readConfig(undefined, { HOME: home })).root).toBe("/home");
  });

  test("may be nowhere, but not where it was named", async () => {
    const none = { HOME: home, XDG_CONFIG_HOME: join(home, "none") };
    await expect(readConfig(join(home, "none.toml"), none)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("--config"),
    });
    await expect(readConfig(undefined, { ...none, KILN_CONFIG: "/none.toml" })).rejects.toThrow(
      /KILN_CONFIG/,
    );
  });
});

describe("a mistake", () => {
  test.each([
    ["that is not TOML", "a = 1\nb = [1,\n\nc", 4, /invalid|expect/i],
    [
      "in a key at the top",
      'root = "/x"\n\nregistery = 1\n',
      3,
      /unknown key "registery"; did you mean "registry"/,
    ],
    [
      "in a key of a registry",
      '[registry."a.example"]\nhttp = true\n[registry."docker.io"]\n\nmirors = ["x"]\n',
      5,
      /did you mean "mirrors"/,
    ],
    [
      "in a value",
      '[registry."a.example"]\n# http = true\nhttp = "yes"\n',
      3,
      /http must be true or false/,
    ],
    [
      "in a list",
      '[registry."a.example"]\nmirrors = "m.example"\n',
      2,
      /mirrors must be a list of strings/,
    ],
    ["in a host", '[registry."https://a.example"]\n', 1, /not a registry's host/],
    [
      "in the name of a file",
      '[registry."a.example"]\nca = ["none.pem"]\n',
      2,
      /cannot read .*none\.pem/,
    ],
    ["in a key pair", '[registry."a.example"]\nkeypair = { key = "a" }\n', 2, /key and cert/],
    ["in the root", "root = 5\n", 1, /root must be a string/],
    ["in the place of a table", 'registry = "a"\n', 1, /registry must hold tables/],
  ])("%s is found in its line", async (_, text, line, words) => {
    const error = await problem(text);
    expect(error.message).toMatch(words);
    expect(error.message).toContain(`kiln.toml:${line}: `);
    expect(error.at).toMatchObject({ line, text });
  });
});

describe("the state root", () => {
  const base = { flag: undefined, config: undefined, environment: {}, uid: 1000, home: "/home/me" };
  test.each([
    [{ flag: "/flag", environment: { KILN_ROOT: "/v" } }, "/flag"],
    [{ environment: { KILN_ROOT: "/v" }, config: "/c" }, "/v"],
    [{ config: "/c", uid: 0 }, "/c"],
    [{ uid: 0, environment: { XDG_DATA_HOME: "/d" } }, "/var/lib/kiln"],
    [{ environment: { XDG_DATA_HOME: "/d" } }, "/d/kiln"],
    [{ environment: { XDG_DATA_HOME: "relative" } }, "/home/me/.local/share/kiln"],
    [{}, "/home/me/.local/share/kiln"],
  ])("of %j is %s", (options, expected) => {
    expect(stateRoot({ ...base, ...options })).toBe(expected);
  });
});
