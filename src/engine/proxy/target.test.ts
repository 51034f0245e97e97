// What requests are for, and what policies make of them.
import { describe, expect, it } from "vitest";
import type { NamedSource } from "../../api/index.ts";
import { digestOf, uncancelled } from "../../base/index.ts";
import { judged, parseAuthority, toldUrl, urlOf } from "./target.ts";

describe("the URL of a request", () => {
  it.each([
    ["http://Example.com:80/a?b#c", undefined, "http://example.com/a?b"],
    ["https://example.com:443/", undefined, "https://example.com/"],
    ["/a", "example.com:8080", "http://example.com:8080/a"],
    ["/a", undefined, undefined],
    ["*", "example.com", undefined],
    ["ftp://example.com/", undefined, undefined],
    [`http://example.com/${"x".repeat(40_000)}`, undefined, undefined],
  ])("of %s with Host %s is %s", (path, host, url) => {
    expect(urlOf(path, host)?.href).toBe(url);
  });

  it("within a tunnel is the tunnel's, whatever Host says", () => {
    const authority = parseAuthority("Example.com:8443");
    if (!authority) throw new Error("no authority");
    const tunnel = { scheme: "https", authority } as const;
    expect(urlOf("/a", "other.example", tunnel)?.href).toBe("https://example.com:8443/a");
    expect(urlOf("https://other.example/a", "other.example", tunnel)).toBeUndefined();
  });

  it("is told without credentials", () => {
    expect(toldUrl(new URL("https://me:secret@a/b"))).toBe("https://xxxxx:xxxxx@a/b");
    expect(toldUrl(new URL("https://token@a/b"))).toBe("https://xxxxx@a/b");
  });

  it.each(["a:1", "[::1]:443", "192.0.2.1:65535"])("may be in a tunnel to %s", (text) => {
    expect(parseAuthority(text)).toBeDefined();
  });

  it.each(["a", "a:", "a:0", "a:70000", "a b:1", "::1:443", "a/b:1", "a@b:1", ""])(
    "cannot be in a tunnel to %j",
    (text) => {
      expect(parseAuthority(text)).toBeUndefined();
    },
  );
});

describe("a policy", () => {
  const url = new URL("https://me:secret@a/b");
  const judge = (method: string, decided: Partial<NamedSource>) =>
    judged(method, url, async (source) => ({ ...source, ...decided }), uncancelled);

  it("leaves the request as it is, with its credentials", async () => {
    expect((await judge("POST", {})).url).toBe(url);
  });

  it("changes what GET asks for, and demands checksums of it", async () => {
    const digest = digestOf("x");
    const found = await judge("GET", {
      identifier: "http://c/d",
      attrs: { "http.checksum": digest },
    });
    expect(found).toEqual({ url: new URL("http://c/d"), checksum: digest });
    expect((await judge("HEAD", { attrs: { "http.checksum": digest } })).url).toBe(url);
  });

  it.each<[string, Partial<NamedSource>, RegExp]>([
    ["POST", { identifier: "http://c/d" }, /GET/],
    ["HEAD", { identifier: "http://c/d" }, /GET/],
    ["GET", { identifier: "docker-image://c" }, /not a URL/],
    ["GET", { attrs: { "http.checksum": "md5:1" } }, /checksum/],
    ["GET", { attrs: { "http.filename": "x" } }, /http.filename/],
  ])("cannot turn %s into %j", async (method, decided, why) => {
    await expect(judge(method, decided)).rejects.toThrow(why);
    await expect(judge(method, decided)).rejects.not.toThrow(/secret/);
  });
});
