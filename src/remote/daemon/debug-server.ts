// Where a daemon tells whoever watches it how it is (--debugaddr).
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KilnError } from "../../base/index.ts";
import { answerPage } from "./debug-pages.ts";
import type { Figures } from "./figures.ts";

export interface FiguresServer extends AsyncDisposable {
  /** Host and port. */
  readonly address: string;
}

/** Serves the pages of `debug-pages.ts`. `address` is `HOST:PORT`. Throws `FLAG_INVALID`. */
export async function serveFigures(address: string, figures: Figures): Promise<FiguresServer> {
  const place = /^(?:tcp:\/\/)?(\[[0-9a-fA-F:.]+\]|[^:[\]]*):(\d{1,5})$/.exec(address);
  const port = Number(place?.[2]);
  if (!place || port > 65_535)
    throw new KilnError("FLAG_INVALID", `--debugaddr must be HOST:PORT, not ${address}`);
  const server = createServer((request, response) => {
    void answer(request.url ?? "/", figures, response).catch(() => response.destroy());
  });
  // Whoever watches is in no hurry, and not trusted to be.
  server.maxConnections = 64;
  server.requestTimeout = 10_000;
  const host = (place[1] ?? "").replace(/^\[|\]$/g, "");
  await started(server, port, host, address);
  const found = server.address() as AddressInfo;
  return {
    address: `${host || found.address}:${found.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(url: string, figures: Figures, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const { status = 200, type, body } = await answerPage(url, figures, { signal: gone.signal });
  response.statusCode = status;
  response.setHeader("content-type", type);
  response.end(body);
}

function started(server: Server, port: number, host: string, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(new KilnError("FLAG_INVALID", `cannot listen on ${address}: ${cause.message}`));
    });
    server.listen({ port, ...(host === "" ? {} : { host }) }, resolve);
  });
}
