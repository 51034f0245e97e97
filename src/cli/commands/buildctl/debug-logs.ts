// kiln buildctl debug logs: what a build said, of one that runs until it ends.
import { KilnError } from "../../../base/index.ts";
import { statusEvents } from "../../../remote/client/index.ts";
import { openDisplay, progressModes, showProgress } from "../../progress/index.ts";
import type { Command, RunWorld } from "../command.ts";
import { writeBlob } from "./blob.ts";
import { type Daemon, openDaemon } from "./connection.ts";
import { buildctlCommand } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";

export const debugLogs: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "debug", "logs"],
    argsUsage: "REF",
    args: { min: 1, max: 1 },
    summary: "Display build logs",
    flags: {
      ...buildctlFlags,
      progress: {
        type: "string",
        value: "auto|plain|tty|rawjson",
        default: "auto",
        usage: "Progress output type",
      },
      trace: { type: "bool", usage: "Show opentelemetry trace" },
    },
  },
  async run({ values }, [ref = ""], world) {
    const mode = progressModes.find((one) => one === values.progress);
    if (!mode) throw new KilnError("FLAG_INVALID", `invalid progress value : ${values.progress}`);
    await using daemon = await openDaemon(values, world);
    if (values.trace) {
      await writeTrace(daemon, ref, world);
      return 0;
    }
    const { display } = await openDisplay(mode, world.stdout, world);
    const responses = daemon.control.status({ Ref: ref }, world.call);
    await showProgress(statusEvents(responses, world.now), display);
    return 0;
  },
});

async function writeTrace(daemon: Daemon, ref: string, world: RunWorld): Promise<void> {
  const request = { ActiveOnly: false, Ref: ref, EarlyExit: true, Filter: [], Limit: 0 };
  for await (const { record } of daemon.control.listenBuildHistory(request, world.call)) {
    const trace = record?.trace;
    if (!trace) throw new KilnError("RECORD_NOT_FOUND", `ref ${ref} does not have trace`);
    await writeBlob(daemon, trace.digest, world.stdout, world.call);
    return;
  }
  throw new KilnError("RECORD_NOT_FOUND", `ref ${ref} not found`);
}
