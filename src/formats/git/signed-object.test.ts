// Commits and tags taken apart: the signature, and exactly the bytes that it is made over.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readSignedCommit, readSignedTag } from "./signed-object.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined) => new TextDecoder().decode(data);
const sha1 = "a".repeat(40);
const sha256 = "a".repeat(64);

const head = `tree ${sha1}\nparent ${sha1}\nauthor A <a> 1 +0000\n`;
const sig = "gpgsig -----BEGIN X-----\n \n abc\n -----END X-----\n";
const armored = "-----BEGIN X-----\n\nabc\n-----END X-----";

describe("a commit", () => {
  it("has its signature in a header, which is not signed", () => {
    const found = readSignedCommit(bytes(`${head}${sig}encoding x\n\nmessage\n`), sha1);
    expect(text(found?.payload)).toBe(`${head}encoding x\n\nmessage\n`);
    expect(found?.signature).toBe(armored);
    expect(found?.header.get("tree")).toBe(sha1);
  });

  it("has one signature for each of git's two hashes, and neither is signed", () => {
    const both = `${head}${sig}gpgsig-sha256 other\n\nm\n`;
    expect(readSignedCommit(bytes(both), sha1)?.signature).toBe(armored);
    expect(readSignedCommit(bytes(both), sha256)?.signature).toBe("other");
    for (const id of [sha1, sha256])
      expect(text(readSignedCommit(bytes(both), id)?.payload)).toBe(`${head}\nm\n`);
  });

  it("is not signed by what its message says", () => {
    const found = readSignedCommit(bytes(`${head}\n${sig}`), sha1);
    expect(found?.signature).toBe("");
    expect(text(found?.payload)).toBe(`${head}\n${sig}`);
  });

  it("is refused with two signatures of a kind", () => {
    expect(readSignedCommit(bytes(`${head}${sig}${sig}\nm\n`), sha1)).toBeUndefined();
  });

  it("keeps every byte that is not UTF-8", () => {
    const raw = Uint8Array.of(...bytes(`${head}${sig}\n`), 0xff, 0xfe, 0x80);
    const found = readSignedCommit(raw, sha1);
    expect([...(found?.payload.subarray(-3) ?? [])]).toEqual([0xff, 0xfe, 0x80]);
  });
});

describe("a tag", () => {
  const body = `object ${sha1}\ntype commit\ntag v1\n\nmessage\n`;
  const end = "-----BEGIN SSH SIGNATURE-----\nabc\n-----END SSH SIGNATURE-----\n";

  it("has its signature at the end", () => {
    const found = readSignedTag(bytes(body + end));
    expect(text(found.payload)).toBe(body);
    expect(found.signature).toBe(end);
    expect(found.header.get("object")).toBe(sha1);
  });

  it("signs all before the last signature, whatever the message looks like", () => {
    const found = readSignedTag(bytes(`${body}${end}more\n${end}`));
    expect(text(found.payload)).toBe(`${body}${end}more\n`);
    expect(found.signature).toBe(end);
  });

  it("is not signed by what stands within a line, or in its header", () => {
    for (const one of [`${body} ${end.split("\n")[0]}\n`, `x -----BEGIN SSH SIGNATURE-----\n\nm\n`])
      expect(readSignedTag(bytes(one)).signature).toBe("");
  });

  it("is nothing but payload and signature, whatever its bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (noise, signed) => {
        const raw = Uint8Array.of(
          ...bytes("object x\n\n"),
          ...noise,
          ...bytes(signed ? `\n${end}` : ""),
        );
        const { payload, signature } = readSignedTag(raw);
        expect(raw.subarray(0, payload.length)).toEqual(payload);
        expect(signature).toBe(text(raw.subarray(payload.length)));
        if (signed) expect(signature).toBe(end);
        expect(readSignedCommit(noise, sha1)?.payload.length ?? 0).toBeLessThanOrEqual(
          noise.length,
        );
      }),
    );
  });
});
