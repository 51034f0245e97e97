// kiln history export: builds as a file that others can look at.
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { fromNodeError, KilnError } from "../../../base/index.ts";
import { writeBundle } from "../../../engine/history/index.ts";
import { formatPlatform, hostPlatform } from "../../../formats/oci/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { type FoundRecord, openHistories, pickRecord } from "./records.ts";

export const historyExport: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["history", "export"],
    argsUsage: "[REF...]",
    args: { min: 0, max: Number.POSITIVE_INFINITY },
    summary: "Export build records into Docker Desktop bundle",
    about:
      "Writes a .dockerbuild file: records with their logs, traces and attestations. 'kiln history import' and Docker Desktop read it. Without refs it is of the newest build.",
    examples: [
      { what: "The newest build", run: "kiln history export -o app.dockerbuild" },
      { what: "All builds", run: "kiln history export --all -o all.dockerbuild" },
    ],
    flags: {
      all: { type: "bool", usage: "Export all build records for the builder" },
      finalize: {
        type: "bool",
        usage: "Ensure build records are finalized before exporting",
      },
      output: { type: "string", short: "o", value: "file", usage: "Output file path" },
    },
  },
  async run({ values }, words, world) {
    if (values.all && words.length > 0)
      throw new KilnError("FLAG_INVALID", "cannot specify both --all and refs");
    if (values.output === "" && world.stdout.isTerminal)
      throw new KilnError("FLAG_INVALID", "refusing to write to a terminal", {
        hint: "Use -o FILE, or redirect standard output.",
      });
    await using histories = await openHistories(world);
    const known = (await histories.all()).filter(({ record }) => record.completedAt);
    const refs = words.length === 0 ? [""] : words;
    const chosen = values.all ? known : refs.map((word) => pickRecord(word, known));
    if (chosen.length === 0) throw new KilnError("RECORD_NOT_FOUND", "no builds are remembered");
    if (values.finalize)
      for (const { history, record } of chosen) await history.finalize?.(record.ref, world.call);
    const records = values.finalize ? await reread(histories, chosen) : chosen;
    const defaultPlatform = formatPlatform(hostPlatform(process.arch));
    const data = writeBundle(
      records.map(({ record, history }) => ({ record, history, defaultPlatform })),
      world.call,
    );
    if (values.output === "") for await (const chunk of data) world.stdout.write(chunk);
    else await writeFile(resolve(world.cwd, values.output), data);
    return 0;

    async function writeFile(file: string, bytes: typeof data): Promise<void> {
      const partial = `${file}.partial`;
      try {
        await pipeline(bytes, createWriteStream(partial), { signal: world.call.signal });
        await rename(partial, file);
      } catch (error) {
        await rm(partial, { force: true });
        throw fromNodeError(error, `writing ${file}`);
      }
    }
  },
});

/** Finalizing may have added to them. */
async function reread(
  histories: Awaited<ReturnType<typeof openHistories>>,
  chosen: readonly FoundRecord[],
): Promise<readonly FoundRecord[]> {
  const now = await histories.all();
  return chosen.map((one) => now.find(({ record }) => record.ref === one.record.ref) ?? one);
}
