import { spawnSync } from "node:child_process";
import { generateKeyPairSync, verify } from "node:crypto";
import { expect, it } from "vitest";
import {
  agentMessages,
  answerMessage,
  isHarmless,
  readIdentities,
  splitMessages,
} from "./agent.ts";
import { readPrivateKey } from "./keys.ts";
import { SshReader, sshByte, sshJoin, sshNumber, sshString } from "./wire.ts";

const pairs = {
  "ssh-ed25519": generateKeyPairSync("ed25519"),
  "ssh-rsa": generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "ecdsa-sha2-nistp256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "ecdsa-sha2-nistp521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
};
const pem = (name: keyof typeof pairs) =>
  pairs[name].privateKey.export({ type: "pkcs8", format: "pem" }) as string;
const data = new TextEncoder().encode("what is to be signed");

it.each(Object.keys(pairs) as (keyof typeof pairs)[])("offers and signs with a %s key", (name) => {
  const key = readPrivateKey(pem(name), "id");
  expect(new SshReader(key.blob).text()).toBe(name);
  const request = sshJoin([
    sshByte(agentMessages.signRequest),
    sshString(key.blob),
    sshString(data),
    sshNumber(4),
  ]);
  const answer = new SshReader(answerMessage(request, [key]));
  expect(answer.byte()).toBe(agentMessages.signResponse);
  const signed = new SshReader(answer.bytes());
  const algorithm = signed.text();
  const value = signed.bytes();
  const { publicKey } = pairs[name];
  switch (name) {
    case "ssh-ed25519":
      expect(verify(null, data, publicKey, value)).toBe(true);
      break;
    case "ssh-rsa":
      expect(algorithm).toBe("rsa-sha2-512");
      expect(verify("sha512", data, publicKey, value)).toBe(true);
      break;
    default: {
      const size = name.endsWith("256") ? 32 : 66;
      const numbers = new SshReader(value);
      const raw = [numbers.bytes(), numbers.bytes()].map((one) => {
        const digits = one.subarray(one[0] === 0 ? 1 : 0);
        return sshJoin([new Uint8Array(size - digits.length), digits]);
      });
      const hash = size === 32 ? "sha256" : "sha512";
      const how = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
      expect(verify(hash, data, how, sshJoin(raw))).toBe(true);
    }
  }
});

it("lists its keys and refuses everything else", () => {
  const keys = [readPrivateKey(pem("ssh-ed25519"), "one"), readPrivateKey(pem("ssh-rsa"), "two")];
  const list = answerMessage(Uint8Array.of(agentMessages.requestIdentities), keys);
  expect(readIdentities(list)).toEqual(["one", "two"]);
  const foreign = sshJoin([sshByte(13), sshString("x"), sshString(data), sshNumber(0)]);
  for (const message of [foreign, Uint8Array.of(13, 0, 0), Uint8Array.of(19), new Uint8Array()])
    expect(answerMessage(message, keys)).toEqual(Uint8Array.of(agentMessages.failure));
});

it.each([17, 18, 19, 20, 22, 23, 25, 26])("does not pass message %d on to an agent", (type) => {
  expect(isHarmless(Uint8Array.of(type))).toBe(false);
});

it("cuts a stream into messages, and believes no length beyond the limit", () => {
  const stream = sshJoin([sshString("ab"), sshString("c"), Uint8Array.of(0, 0)]);
  const { messages, rest } = splitMessages(stream);
  expect(messages.map((one) => new TextDecoder().decode(one))).toEqual(["ab", "c"]);
  expect(rest).toEqual(Uint8Array.of(0, 0));
  expect(() => splitMessages(Uint8Array.of(255, 255, 255, 255))).toThrow(RangeError);
  expect(() => splitMessages(Uint8Array.of(0, 0, 0, 0))).toThrow(RangeError);
});

it.each([
  ["nothing", "", "not a private key"],
  ["a public key", "ssh-ed25519 AAAA me", "not a private key"],
  ["a cut key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END", "too early"],
  ["a locked PEM key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "passphrase"],
])("refuses %s", (_, text, why) => {
  expect(() => readPrivateKey(text, "id")).toThrow(why);
});

const hasKeygen = spawnSync("ssh-keygen", ["-?"]).error === undefined;
it.runIf(hasKeygen).each(["ed25519", "rsa", "ecdsa"])(
  "reads %s keys as ssh-keygen writes them",
  async (type) => {
    const { mkdtempSync, readFileSync, rmSync } = await import("node:fs");
    const { tmpdir } = await import("node:os");
    const directory = mkdtempSync(`${tmpdir()}/kiln-key-`);
    try {
      spawnSync("ssh-keygen", [
        "-q",
        "-t",
        type,
        "-N",
        "",
        "-C",
        "me@here",
        "-f",
        `${directory}/id`,
      ]);
      const key = readPrivateKey(readFileSync(`${directory}/id`, "utf8"), "id");
      expect(key.comment).toBe("me@here");
      const [, blob = ""] = readFileSync(`${directory}/id.pub`, "utf8").split(" ");
      expect(Array.from(key.blob)).toEqual([...atob(blob)].map((char) => char.charCodeAt(0)));
      expect(key.sign(data, 4).length).toBeGreaterThan(32);
      spawnSync("ssh-keygen", ["-q", "-t", type, "-N", "secret", "-f", `${directory}/locked`]);
      const locked = readFileSync(`${directory}/locked`, "utf8");
      expect(() => readPrivateKey(locked, "id")).toThrow("passphrase");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
