// kiln history import: records of other builders, to be looked at like one's own.
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { type Bytes, fromNodeError, KilnError } from "../../../base/index.ts";
import { readBundle } from "../../../engine/history/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { openHistories } from "./records.ts";

export const historyImport: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["history", "import"],
    argsUsage: "[-]",
    args: { min: 0, max: 1 },
    summary: "Import build records from a .dockerbuild file",
    about:
      "Reads files that 'kiln history export' and 'docker buildx history export' write, or one from standard input, and keeps their records in the history of the builder in this process.",
    examples: [
      { what: "Look at a build of somebody else", run: "kiln history import -f app.dockerbuild" },
    ],
    flags: {
      file: {
        type: "stringArray",
        short: "f",
        value: "file",
        usage: "Import from a file path",
      },
    },
  },
  async run({ values: { file: files } }, [from], world) {
    if (from !== undefined && from !== "-")
      throw new KilnError("FLAG_INVALID", `unexpected argument ${JSON.stringify(from)}`, {
        hint: "Name files with -f, or give one on standard input.",
      });
    if (files.length === 0 && from === undefined && world.stdin.isTerminal)
      throw new KilnError("FLAG_INVALID", "no file to import", { hint: "Use -f FILE." });
    await using histories = await openHistories(world);
    const history = histories.nodes.find((one) => one.history.take)?.history;
    if (!history?.take)
      throw new KilnError("UNSUPPORTED", `builder ${histories.builder} takes no records`, {
        hint: "Import them for the builder in this process: kiln --builder embedded history import.",
      });
    const sources =
      files.length === 0
        ? [{ name: "standard input", data: world.stdin }]
        : files.map((name) => ({ name, data: readFile(resolve(world.cwd, name)) }));
    for (const { name, data } of sources)
      for (const { record, files: own } of await readBundle(data, name, world.call)) {
        await history.take(record, own, world.call);
        world.stdout.write(`${record.ref}\n`);
      }
    return 0;
  },
});

async function* readFile(path: string): Bytes {
  try {
    yield* createReadStream(path);
  } catch (error) {
    throw fromNodeError(error, `reading ${path}`);
  }
}
