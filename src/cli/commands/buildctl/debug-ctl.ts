// kiln buildctl debug ctl: pins, unpins or deletes a build's record.
import { KilnError } from "../../../base/index.ts";
import type { Command } from "../command.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";

export const debugCtl: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "debug", "ctl"],
    argsUsage: "REF",
    args: { min: 1, max: 1 },
    summary: "Control build records",
    flags: {
      ...buildctlFlags,
      delete: { type: "bool", usage: "Delete build record" },
      pin: { type: "bool", usage: "Pin build so it will not be garbage collected" },
      unpin: { type: "bool", usage: "Unpin build so it will be garbage collected" },
    },
  },
  async run({ values }, [ref = ""], world) {
    const { pin, unpin, delete: remove } = values;
    const wrong = (message: string) => new KilnError("FLAG_INVALID", message);
    if (!pin && !unpin && !remove) throw wrong("must specify one of --pin, --unpin, --delete");
    if (pin && unpin) throw wrong("cannot specify both --pin and --unpin");
    if (remove && (pin || unpin)) throw wrong("cannot specify --delete with --pin or --unpin");
    await using daemon = await openDaemon(values, world);
    const change = { Ref: ref, Pinned: pin, Delete: remove, Finalize: false };
    await daemon.control.updateBuildHistory(change, world.call);
    return 0;
  },
});
