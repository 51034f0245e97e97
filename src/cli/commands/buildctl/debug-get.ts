// kiln buildctl debug get: one file of a daemon's content store, to standard output.
import { parseDigest } from "../../../base/index.ts";
import type { Command } from "../command.ts";
import { writeBlob } from "./blob.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";

export const debugGet: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "debug", "get"],
    argsUsage: "DIGEST",
    args: { min: 1, max: 1 },
    summary: "Retrieve a blob from contentstore",
    flags: buildctlFlags,
  },
  async run({ values }, [text = ""], world) {
    const digest = parseDigest(text);
    await using daemon = await openDaemon(values, world);
    await writeBlob(daemon, digest, world.stdout, world.call);
    return 0;
  },
});
