// Signatures as ssh-keygen writes them, and what somebody may make of them: they hold over the same bytes, or not at all.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkSshSignature } from "./signed-data.ts";

const golden = (name: string) => readFileSync(new URL(`./golden/${name}`, import.meta.url), "utf8");
const data = new TextEncoder().encode("data\n");
const kinds = ["ed25519", "rsa", "ecdsa"];
const invalid = expect.objectContaining({ code: "SIGNATURE_INVALID" });

describe("a signature made with an SSH key", () => {
  it.each(kinds)("holds over what was signed with %s, and over nothing else", (kind) => {
    const [signature, key] = [golden(`${kind}.sig`), golden(`${kind}.pub`)];
    const all = `# keys\n\n${kinds.map((one) => golden(`${one}.pub`)).join("")}`;
    for (const keys of [key, all]) {
      const signer = checkSshSignature(signature, keys, data, "git");
      expect(signer).toMatchObject({ comment: kind });
      expect(signer.fingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
    }
    const other = new TextEncoder().encode("date\n");
    expect(() => checkSshSignature(signature, key, other, "git")).toThrow(/for other bytes/);
    expect(() => checkSshSignature(signature, key, new Uint8Array(), "git")).toThrow(invalid);
  });

  it("is for one purpose only", () => {
    const [signature, key] = [golden("ed25519-file.sig"), golden("ed25519.pub")];
    expect(() => checkSshSignature(signature, key, data, "git")).toThrow(/for "file", not git/);
    expect(checkSshSignature(signature, key, data, "file").comment).toBe("ed25519");
  });

  it("counts only by a key that was given", () => {
    const [signature, key] = [golden("ed25519.sig"), golden("rsa.pub")];
    expect(() => checkSshSignature(signature, key, data, "git")).toThrow(/none of the given keys/);
  });

  it.each([
    ["no key", ""],
    ["an OpenPGP key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n"],
    ["a key with limits", `valid-before="20200101" ${golden("ed25519.pub")}`],
    ["an allowed signer", `me@example.com ${golden("ed25519.pub")}`],
    ["another type than the key's", golden("ed25519.pub").replace("ssh-ed25519", "ssh-rsa")],
  ])("is refused with %s", (_, keys) => {
    const check = () => checkSshSignature(golden("ed25519.sig"), keys, data, "git");
    expect(check).toThrow(/not SSH public keys/);
  });

  it("never holds when a byte of it was changed", () => {
    const lines = golden("ed25519.sig").trim().split("\n");
    const bytes = Uint8Array.from(atob(lines.slice(1, -1).join("")), (c) => c.charCodeAt(0));
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, mask, cut) => {
          const changed = bytes.slice();
          changed[at] = (changed[at] ?? 0) ^ mask;
          const text = btoa(String.fromCharCode(...(cut ? changed.subarray(0, at) : changed)));
          const armored = [lines[0], text, lines.at(-1)].join("\n");
          expect(() => checkSshSignature(armored, golden("ed25519.pub"), data, "git")).toThrow(
            invalid,
          );
        },
      ),
      { numRuns: 1000 },
    );
  });
});
