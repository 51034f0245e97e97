// kiln history logs: what a build said, shown again; of one that runs, until it ends.
import type { BuildEvent } from "../../../api/index.ts";
import { KilnError } from "../../../base/index.ts";
import { decodeStatus, StatusReader } from "../../../remote/client/index.ts";
import { openDisplay, progressModes, showProgress } from "../../progress/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { withRecord } from "./records.ts";

export const historyLogs: Command = defineCommand({
  opensStore: true,
  spec: {
    path: ["history", "logs"],
    argsUsage: "[REF]",
    args: { min: 0, max: 1 },
    summary: "Print the logs of a build record",
    flags: {
      progress: {
        type: "string",
        default: "plain",
        value: "plain|rawjson|tty",
        usage: "Set type of progress output (plain, rawjson, tty)",
      },
    },
  },
  async run({ values: { progress } }, [word = ""], world) {
    const mode = progressModes.find((one) => one === progress);
    if (!mode)
      throw new KilnError("FLAG_INVALID", `unknown progress mode ${JSON.stringify(progress)}`, {
        hint: "Modes are plain, rawjson and tty.",
      });
    return await withRecord(word, world, async ({ record, history }) => {
      const messages = history.status(record.ref, world.call);
      if (!messages)
        throw new KilnError("RECORD_NOT_FOUND", `no logs are kept of build ${record.ref}`, {
          hint: "Run 'kiln history ls' to see which builds there are.",
        });
      const out = mode === "rawjson" ? world.stdout : world.stderr;
      const { display } = await openDisplay(mode, out, world);
      await showProgress(events(messages, record.createdAt), display);
      return 0;
    });
  },
});

async function* events(
  messages: AsyncIterable<Uint8Array>,
  began: Date,
): AsyncIterable<BuildEvent> {
  const reader = new StatusReader(() => began);
  for await (const message of decodeStatus(messages))
    yield* [...reader.events(message)].sort((a, b) => order(a) - order(b));
}

/** Of what was written down at once: steps begin, then speak, then end. */
function order(event: BuildEvent): number {
  if (event.type !== "step") return 1;
  return event.state === "planned" || event.state === "started" ? 0 : 2;
}
