// Credentials of the asking side, as tokens where it fetches them itself.
import { Buffer } from "node:buffer";
import { createPublicKey, randomBytes, verify } from "node:crypto";
import type { Session } from "../../../api/index.ts";
import { type Call, concatBytes, KilnError } from "../../../base/index.ts";
import { auth } from "../../../formats/proto/index.ts";
import {
  type Channel,
  createClient,
  fromStatus,
  StatusError,
  statusCodes,
} from "../../grpc/index.ts";
import { hubRegistry } from "../serve/auth.ts";

/** Anew in every process: no key outlives the daemon that asked for it. */
const salt: Uint8Array = randomBytes(32);

/** Who does not want to give tokens says so, or does not know the question. */
const refusals: ReadonlySet<number> = new Set([statusCodes.UNIMPLEMENTED, statusCodes.NOT_FOUND]);

/** That a token server is out of reach is no refusal. */
function isRefusal({ code, message }: StatusError): boolean {
  if (code === statusCodes.UNAVAILABLE) return /disabled/.test(message);
  return refusals.has(code);
}

export function remoteAuth(
  channel: Channel,
  offers: (method: string) => boolean,
): Pick<Session, "credentials" | "token"> {
  const client = createClient(auth.AuthDefinition, channel);
  const refused = new Set<string>();
  return {
    async credentials(host, call) {
      if (!offers("/moby.filesync.v1.Auth/Credentials")) return undefined;
      const found = await unlessRefused(() => client.credentials({ Host: hostOf(host) }, call));
      if (!found || found.Secret === "") return undefined;
      if (found.Username === "") return { identityToken: found.Secret };
      return { username: found.Username, password: found.Secret };
    },
    async token(request, call) {
      const Host = hostOf(request.host);
      if (!offers("/moby.filesync.v1.Auth/FetchToken") || refused.has(Host)) return undefined;
      if (!(await hasAuthority(client, Host, call))) {
        refused.add(Host);
        return undefined;
      }
      const found = await unlessRefused(() =>
        client.fetchToken(
          {
            ClientID: "buildkit-client",
            Host,
            Realm: request.realm,
            Service: request.service,
            Scopes: [...request.scopes],
          },
          call,
        ),
      );
      if (!found || found.Token === "") return undefined;
      const issued = found.IssuedAt > 0 ? { issuedAt: new Date(found.IssuedAt * 1000) } : {};
      return { token: found.Token, expiresIn: found.ExpiresIn, ...issued };
    },
  };
}

type AuthClient = ReturnType<typeof createClient<typeof auth.AuthDefinition>>;

/** True where the session proves that the key it names is its own. Throws `REQUEST_INVALID` where it names another's. */
async function hasAuthority(client: AuthClient, Host: string, call: Call): Promise<boolean> {
  const authority = await unlessRefused(() => client.getTokenAuthority({ Host, Salt: salt }, call));
  const key = authority?.PublicKey;
  if (!key || key.length === 0) return false;
  const payload = randomBytes(32);
  const { Signed } = await client.verifyTokenAuthority(
    { Host, Salt: salt, Payload: payload },
    call,
  );
  const signature = Signed.subarray(0, 64);
  if (key.length === 32 && signature.length === 64 && isSigned(key, signature, payload))
    return true;
  throw new KilnError(
    "REQUEST_INVALID",
    `the session cannot prove its token authority for ${Host}`,
  );
}

/** What goes before a raw Ed25519 key in a SubjectPublicKeyInfo (RFC 8410). */
const spkiPrefix = Uint8Array.of(
  0x30,
  0x2a,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x03,
  0x21,
  0,
);

function isSigned(key: Uint8Array, signature: Uint8Array, payload: Uint8Array): boolean {
  const der = Buffer.from(concatBytes([spkiPrefix, key]));
  try {
    return verify(
      null,
      payload,
      createPublicKey({ key: der, format: "der", type: "spki" }),
      signature,
    );
  } catch {
    return false;
  }
}

function hostOf(name: string): string {
  return name === "docker.io" ? hubRegistry : name;
}

async function unlessRefused<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    if (isRefusal(error)) return undefined;
    throw fromStatus(error);
  }
}
