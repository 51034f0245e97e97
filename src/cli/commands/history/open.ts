// kiln history open: a build as a page for the browser.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeStatus } from "../../../remote/client/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { readDetails } from "./details.ts";
import { buildName } from "./facts.ts";
import { historyPage } from "./page.ts";
import { type FoundRecord, withRecord } from "./records.ts";
import { readSpans } from "./spans.ts";

/** Characters of the log that a page shows, from its end. */
const maxLog = 4_000_000;

export const historyOpen: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["history", "open"],
    argsUsage: "[REF]",
    args: { min: 0, max: 1 },
    summary: "Write a build record as a page for the browser",
    about:
      "The page is one file that needs no network: what was built, the time of every step, the log. Its path is printed.",
    flags: {},
  },
  async run(_flags, [word = ""], world) {
    return await withRecord(word, world, async (found) => {
      const { record } = found;
      const page = historyPage({
        title: `Build ${buildName(record.attrs, found.origin) || record.ref}`,
        details: await readDetails(found, { now: world.now(), cwd: world.cwd }, world.call),
        traces: record.trace ? [{ title: "Steps", spans: await readSpans(found, world) }] : [],
        log: await logText(found, world),
      });
      const file = join(mkdtempSync(join(tmpdir(), "kiln-history-")), "build.html");
      writeFileSync(file, page, { mode: 0o600 });
      world.stdout.write(`${file}\n`);
      return 0;
    });
  },
});

/** Each step's name before what it said first. */
async function logText({ record, history }: FoundRecord, world: RunWorld): Promise<string> {
  const names = new Map<string, string>();
  const text = new TextDecoder();
  let speaks = "";
  let log = "";
  const messages = record.completedAt ? history.status(record.ref, world.call) : undefined;
  for await (const { vertexes, logs } of messages ? decodeStatus(messages) : []) {
    for (const { digest, name } of vertexes) names.set(digest, name);
    for (const { vertex, msg } of logs) {
      const heading = vertex === speaks ? "" : `\n--- ${names.get(vertex) ?? vertex}\n`;
      speaks = vertex;
      log = (log + heading + text.decode(msg)).slice(-maxLog);
    }
  }
  return log.trimStart();
}
