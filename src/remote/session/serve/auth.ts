// The asking side's credentials, or tokens fetched with them.
import { Buffer } from "node:buffer";
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import type { Session } from "../../../api/index.ts";
import { concatBytes } from "../../../base/index.ts";
import { auth } from "../../../formats/proto/index.ts";
import { bind, type Service, StatusError, statusCodes } from "../../grpc/index.ts";

/** The hub's registry, which names and configurations call docker.io. */
export const hubRegistry = "registry-1.docker.io";

/** Where tokens are to be had here, credentials are not given away; otherwise they are. */
export function serveAuth(session: Session): Service {
  const seed = randomBytes(32);
  const fetchToken = session.token?.bind(session);
  const disabled = () => new StatusError(statusCodes.UNAVAILABLE, "client side tokens disabled");
  return bind(auth.AuthDefinition, {
    async credentials({ Host }, call) {
      const found = await session.credentials(nameOf(Host), call);
      if (found?.identityToken) return { Username: "", Secret: found.identityToken };
      return { Username: found?.username ?? "", Secret: found?.password ?? "" };
    },
    async fetchToken({ Host, Realm, Service, Scopes }, call) {
      const request = { host: nameOf(Host), realm: Realm, service: Service, scopes: Scopes };
      const found = await fetchToken?.(request, call);
      if (!found) throw disabled();
      const { token, expiresIn, issuedAt } = found;
      const issued = issuedAt ? Math.floor(issuedAt.getTime() / 1000) : 0;
      return { Token: token, ExpiresIn: expiresIn, IssuedAt: issued };
    },
    async getTokenAuthority({ Host, Salt }) {
      if (!fetchToken) throw disabled();
      return { PublicKey: rawPublicKey(authorityKey(seed, Host, Salt)) };
    },
    async verifyTokenAuthority({ Host, Salt, Payload }) {
      if (!fetchToken) throw disabled();
      const signature = sign(null, Payload, authorityKey(seed, Host, Salt));
      return { Signed: concatBytes([signature, Payload]) };
    },
  });
}

function nameOf(host: string): string {
  return host === hubRegistry ? "docker.io" : host;
}

/** What goes before a raw Ed25519 seed in PKCS #8 (RFC 8410). */
const pkcs8Prefix = Uint8Array.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0x00,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x04,
  0x22,
  0x04,
  0x20,
);

/** One key a host, salt and session. The salt is the daemon's, so the seed must be unknown to it. */
function authorityKey(seed: Uint8Array, host: string, salt: Uint8Array): KeyObject {
  const secret = createHmac("sha256", seed).update(host).update("\0").update(salt).digest();
  const der = concatBytes([pkcs8Prefix, secret]);
  return createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
}

function rawPublicKey(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
}
