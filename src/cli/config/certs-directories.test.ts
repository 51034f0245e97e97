// What docker and containerd were told of registries counts for Kiln as well.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readCertsDirectories } from "./certs-directories.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-certs-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
}
const read = (directories = root) => readCertsDirectories({ KILN_CERTS_D: directories });

test("docker's certs.d: authorities and a pair for the client, by host and port", async () => {
  write({
    "registry.example:5000/ca.crt": "CA",
    "registry.example:5000/client.cert": "CERT",
    "registry.example:5000/client.key": "KEY",
    "registry.example:5000/lonely.cert": "no key",
    "other.example_5001_/a.crt": "A",
    "empty.example/readme": "",
  });
  expect(await read()).toEqual({
    "registry.example:5000": { ca: ["CA"], keyPair: { cert: "CERT", key: "KEY" } },
    "other.example:5001": { ca: ["A"] },
  });
});

test("containerd's hosts.toml: servers to pull from, each with its own settings", async () => {
  write({
    "docker.io/hosts.toml": `
server = "https://registry-1.docker.io"
[host."https://mirror.example:5000/v2/hub"]
  capabilities = ["pull", "resolve"]
  ca = "ca.pem"
  client = [["client.pem", "client-key.pem"]]
  override_path = true
[host."http://plain.example"]
  skip_verify = true
[host."https://pushed.example"]
  capabilities = ["push"]
`,
    "docker.io/ca.pem": "CA",
    "docker.io/client.pem": "CERT",
    "docker.io/client-key.pem": "KEY",
  });
  expect(await read()).toEqual({
    "docker.io": { mirrors: ["mirror.example:5000/hub", "http://plain.example"] },
    "mirror.example:5000": { ca: ["CA"], keyPair: { cert: "CERT", key: "KEY" } },
    "plain.example": { insecure: true, http: true },
    "pushed.example": {},
  });
});

test("of two directories the first one's settings count", async () => {
  write({ "one/r.example/a.crt": "ONE", "two/r.example/a.crt": "TWO", "two/s.example/a.crt": "S" });
  expect(await read(`${join(root, "one")}:${join(root, "two")}`)).toEqual({
    "r.example": { ca: ["ONE"] },
    "s.example": { ca: ["S"] },
  });
});

test("directories that are not there, and defaults for all hosts, say nothing", async () => {
  write({ "_default/hosts.toml": "server = 'https://x.example'" });
  expect(await read()).toEqual({});
  expect(await read(join(root, "none"))).toEqual({});
});

test.each(["[host", 'server = "nonsense"', '[host."ftp://x"]', "host = 3"])(
  "a mistake is told with its file: %s",
  async (text) => {
    write({ "r.example/hosts.toml": text });
    await expect(read()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(read()).rejects.toThrow(/hosts\.toml/);
  },
);
