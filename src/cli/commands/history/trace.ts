// kiln history trace: where a build's time went, as a page in the browser or as OTLP for tracing tools.
import { createServer } from "node:http";
import { KilnError } from "../../../base/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { buildName } from "./facts.ts";
import { historyPage, type PageTrace } from "./page.ts";
import { openHistories, pickRecord } from "./records.ts";
import { otlpJson, readSpans, type Span } from "./spans.ts";

export const historyTrace: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["history", "trace"],
    argsUsage: "[REF]",
    args: { min: 0, max: 1 },
    summary: "Show the OpenTelemetry trace of a build record",
    about:
      "On a terminal, or with --addr, a page is served on this machine until Ctrl-C; nothing is fetched from elsewhere. Otherwise, or with --format, the trace is printed: json is OTLP's JSON, html the page as a file.",
    examples: [
      { what: "Look at the newest build", run: "kiln history trace" },
      { what: "For a tracing tool", run: "kiln history trace --format json ^1" },
      { what: "Two builds on one scale", run: "kiln history trace --compare ^1 --format html" },
    ],
    flags: {
      addr: {
        type: "string",
        default: "127.0.0.1:0",
        value: "host:port",
        usage: "Address to bind the UI server",
      },
      compare: { type: "string", value: "ref", usage: "Compare with another build record" },
      format: {
        type: "string",
        value: "json|html",
        usage: "Print the trace instead of serving it",
      },
    },
  },
  async run({ values, given }, [word = ""], world) {
    const serves = values.format === "" && (given("addr") || world.stdout.isTerminal);
    if (!["", "json", "html"].includes(values.format))
      throw new KilnError("FLAG_INVALID", `unknown format ${JSON.stringify(values.format)}`, {
        hint: "Formats are json and html.",
      });
    const traces = await readTraces(word, values.compare, world);
    if (!serves && values.format !== "html") {
      const spans = traces.flatMap((one): readonly Span[] => one.spans);
      world.stdout.write(`${JSON.stringify(otlpJson(spans))}\n`);
      return 0;
    }
    const page = historyPage({ title: `Trace of ${traces[0]?.title ?? ""}`, traces });
    if (serves) await servePage(page, values.addr, world);
    else world.stdout.write(page);
    return 0;
  },
});

async function readTraces(
  word: string,
  compare: string,
  world: RunWorld,
): Promise<readonly PageTrace[]> {
  await using histories = await openHistories(world);
  const all = await histories.all();
  const words = compare === "" ? [word] : [word, compare];
  const traces: PageTrace[] = [];
  for (const one of words) {
    const found = pickRecord(one, all);
    const name = buildName(found.record.attrs, found.origin);
    const title = name === "" ? found.record.ref : `${name} (${found.record.ref})`;
    traces.push({ title, spans: await readSpans(found, world) });
  }
  return traces;
}

/** Until the command is stopped. */
async function servePage(page: string, address: string, world: RunWorld): Promise<void> {
  const match = /^(.*):(\d+)$/.exec(address);
  if (!match)
    throw new KilnError("FLAG_INVALID", `--addr is HOST:PORT, not ${JSON.stringify(address)}`);
  const [, host = "", port = "0"] = match;
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(page);
  });
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  await new Promise<void>((listening, reject) => {
    server.once("error", (cause) =>
      reject(
        new KilnError("FLAG_INVALID", `cannot listen on ${address}: ${cause.message}`, { cause }),
      ),
    );
    server.listen(Number(port), bare === "" ? "127.0.0.1" : bare, listening);
  });
  const bound = server.address();
  const at = typeof bound === "object" && bound ? `${host || "127.0.0.1"}:${bound.port}` : address;
  world.stderr.write(`Trace available at http://${at}\n`);
  const { signal } = world.call;
  await new Promise<void>((stopped) => {
    if (signal.aborted) stopped();
    else signal.addEventListener("abort", () => stopped(), { once: true });
  });
  server.close();
  server.closeAllConnections();
}
