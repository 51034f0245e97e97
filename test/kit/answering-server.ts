// A server that answers known questions and keeps what it was asked, for tests of clients that look for credentials.
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface AnsweringServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: {
    /** Method and path with its query. */
    readonly line: string;
    readonly headers: IncomingMessage["headers"];
    body: string;
  }[];
  /** By line, with the query or without; everything else is not found. Texts with `"error"` go with the status 400. */
  readonly answers: Record<string, string>;
}

export async function startAnswering(): Promise<AnsweringServer> {
  const requests: AnsweringServer["requests"] = [];
  const answers: AnsweringServer["answers"] = {};
  const server = createServer((request, response) => {
    const seen = { line: `${request.method} ${request.url}`, headers: request.headers, body: "" };
    requests.push(seen);
    request.on("data", (chunk) => {
      seen.body += chunk;
    });
    request.on("end", () => {
      const answer = answers[seen.line] ?? answers[seen.line.replace(/\?.*/, "")];
      const status = answer === undefined ? 404 : answer.includes('"error"') ? 400 : 200;
      response.writeHead(status).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
