// Certificates that the proxy signs, as OpenSSL sees them.
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type TLSSocket } from "node:tls";
import { expect, it } from "vitest";
import { ProxyAuthority } from "./authority.ts";

/** The certificate that is shown for a host, once a client has found it good. */
async function shown(authority: ProxyAuthority, host: string): Promise<X509Certificate> {
  const secureContext = authority.contextFor(host);
  const server = createServer({ SNICallback: (_, done) => done(null, secureContext) });
  server.on("secureConnection", (socket: TLSSocket) => socket.end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const socket = connect({
    port,
    host: "127.0.0.1",
    ca: authority.pem,
    servername: "any.example",
    checkServerIdentity: () => undefined,
  });
  await once(socket, "secureConnect");
  const found = socket.getPeerX509Certificate();
  socket.destroy();
  server.close();
  if (!found) throw new Error("no certificate came");
  return found;
}

it("is an authority for the length of a build", () => {
  const now = new Date("2031-05-06T07:08:09Z");
  const certificate = new X509Certificate(new ProxyAuthority(() => now).pem);
  expect(certificate.ca).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(new Date(certificate.validFrom)).toEqual(new Date("2031-05-06T06:08:09Z"));
  expect(new Date(certificate.validTo)).toEqual(new Date("2031-05-13T07:08:09Z"));
  // Beyond 2049 times are written otherwise.
  const late = new X509Certificate(new ProxyAuthority(() => new Date("2055-01-02T03:04:05Z")).pem);
  expect(new Date(late.validTo)).toEqual(new Date("2055-01-09T03:04:05Z"));
});

it("signs for names and addresses, and for nothing else", async () => {
  const authority = new ProxyAuthority(() => new Date());
  const root = new X509Certificate(authority.pem);
  const named = await shown(authority, "deb.example.com");
  expect(named.checkIssued(root)).toBe(true);
  expect(named.verify(root.publicKey)).toBe(true);
  expect(named.ca).toBe(false);
  expect(named.checkHost("deb.example.com")).toBe("deb.example.com");
  expect(named.checkHost("other.example.com")).toBeUndefined();
  expect((await shown(authority, "192.0.2.7")).checkIP("192.0.2.7")).toBe("192.0.2.7");
  const six = await shown(authority, "2001:db8::7");
  expect(six.subjectAltName).toBe("IP Address:2001:DB8:0:0:0:0:0:7");
  for (const host of ["", "a b", "n\u00fcl", "x\0y", "y".repeat(254)])
    expect(() => authority.contextFor(host)).toThrow("no name");
});

it("makes a certificate once, and forgets those that were asked for longest ago", () => {
  const authority = new ProxyAuthority(() => new Date());
  const first = authority.contextFor("first.example");
  expect(authority.contextFor("first.example")).toBe(first);
  for (let at = 0; at < 1024; at++) authority.contextFor(`h${at}.example`);
  expect(authority.contextFor("first.example")).not.toBe(first);
});
