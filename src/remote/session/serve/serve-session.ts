// The asking side of a session: everything that a builder may ask for, over a session object of this process.
import type { Session } from "../../../api/index.ts";
import { health } from "../../../formats/proto/index.ts";
import { bind, type Service } from "../../grpc/index.ts";
import { serveAuth } from "./auth.ts";
import { serveContent } from "./content.ts";
import { serveFileSend, serveFileSync } from "./files.ts";
import { serveSecrets, serveSsh, serveUpload } from "./secrets.ts";

export interface ServeSessionOptions {
  /** Types of the request's exporters, in its order. */
  readonly exporters: readonly string[];
}

/** The services to serve on the connection that the builder opens through the session. The session is lent. */
export function serveSession(
  session: Session,
  { exporters }: ServeSessionOptions,
): readonly Service[] {
  return [
    serveFileSync(session),
    serveFileSend(session, exporters),
    serveAuth(session),
    serveSecrets(session),
    serveSsh(session),
    serveUpload(session),
    serveContent(session),
    // Builders look now and then whether anybody is still there.
    bind(health.HealthDefinition, {
      check: async () => ({ status: health.HealthCheckResponse_ServingStatus.SERVING }),
    }),
  ];
}
