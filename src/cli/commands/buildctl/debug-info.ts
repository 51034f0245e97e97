// kiln buildctl debug info: which daemon this is.
import { type Shape, structOf } from "../../../formats/template/index.ts";
import type { Command } from "../command.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand, during } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";
import { formatFlag, formatOf } from "./format.ts";
import { tabbedText } from "./tabbed-text.ts";

const shape: Shape = {
  BuildkitVersion: {
    member: "buildkitVersion",
    shape: {
      Package: { member: "package" },
      Version: { member: "version" },
      Revision: { member: "revision" },
    },
  },
};

export const debugInfo: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "debug", "info"],
    args: { min: 0, max: 0 },
    summary: "Display internal information",
    flags: { ...buildctlFlags, format: formatFlag },
  },
  async run({ values }, _args, world) {
    const format = formatOf(values.format);
    const { buildkitVersion } = await during("failed to call info", async () => {
      await using daemon = await openDaemon(values, world);
      return await daemon.control.info({}, world.call);
    });
    const found = buildkitVersion ?? { package: "", version: "", revision: "" };
    if (format) {
      const json = { buildkitVersion: found };
      world.stdout.write(`${format.execute(structOf(json, shape))}\n`);
    } else {
      const { package: name, version, revision } = found;
      world.stdout.write(tabbedText([["BuildKit:", `${name} ${version} ${revision}`]]));
    }
    return 0;
  },
});
