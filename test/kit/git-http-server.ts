// Git repositories over HTTP, by git's own http-backend, open or only for those who know the password.

import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface GitHttpServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Values of `Authorization` that came, oldest first; "" for none. */
  readonly authorizations: readonly string[];
}

/** Serves what lies below `directory`; with `authorization` only to requests that have just that header. */
export async function openGitHttpServer(
  directory: string,
  authorization?: string,
): Promise<GitHttpServer> {
  const authorizations: string[] = [];
  const server = createServer((request, response) => {
    const given = request.headers.authorization ?? "";
    authorizations.push(given);
    if (authorization !== undefined && !isSame(given, authorization))
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
    else answer(directory, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authorizations,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The scheme's case does not count (RFC 9110, 11.1). */
function isSame(given: string, wanted: string): boolean {
  const [scheme = "", rest] = given.split(" ", 2);
  const [wantedScheme = "", wantedRest] = wanted.split(" ", 2);
  return scheme.toLowerCase() === wantedScheme.toLowerCase() && rest === wantedRest;
}

/** One request through the program, as CGI has it (RFC 3875). */
function answer(directory: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? "/", "http://127.0.0.1");
  const env = {
    ...process.env,
    GIT_PROJECT_ROOT: directory,
    GIT_HTTP_EXPORT_ALL: "1",
    PATH_INFO: decodeURIComponent(pathname),
    QUERY_STRING: search.slice(1),
    REQUEST_METHOD: request.method ?? "GET",
    CONTENT_TYPE: request.headers["content-type"] ?? "",
    HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
    GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
    REMOTE_ADDR: "127.0.0.1",
  };
  const backend = spawn("git", ["-c", "safe.directory=*", "http-backend"], {
    env,
    stdio: ["pipe", "pipe", "ignore"],
  });
  request.pipe(backend.stdin);
  backend.stdin.on("error", () => {});
  const pieces: Buffer[] = [];
  backend.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  backend.once("close", () => {
    const all = Buffer.concat(pieces);
    const end = all.indexOf("\r\n\r\n");
    const lines = all.subarray(0, Math.max(end, 0)).toString().split("\r\n");
    const headers = lines.map((line) => line.split(/: */, 2) as [string, string]);
    const status = headers.find(([name]) => name.toLowerCase() === "status")?.[1];
    const rest = headers.filter(([name]) => name !== "" && name.toLowerCase() !== "status");
    response.writeHead(end < 0 ? 500 : Number.parseInt(status ?? "200", 10), rest.flat());
    response.end(all.subarray(end + 4));
  });
}
