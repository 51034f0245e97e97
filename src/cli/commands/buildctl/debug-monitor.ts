// kiln buildctl debug monitor: builds as they begin and end.
import type { control } from "../../../formats/proto/index.ts";
import type { Command } from "../command.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";
import { descriptorText, eventName } from "./history-text.ts";

export const debugMonitor: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "debug", "monitor"],
    args: { min: 0, max: 0 },
    summary: "Display build events",
    flags: {
      ...buildctlFlags,
      completed: { type: "bool", usage: "Show completed builds" },
      ref: { type: "string", value: "ref", usage: "Show events for a specific build" },
    },
  },
  async run({ values }, _args, world) {
    await using daemon = await openDaemon(values, world);
    const request = {
      ActiveOnly: !values.completed,
      Ref: values.ref,
      EarlyExit: false,
      Filter: [],
      Limit: 0,
    };
    for await (const event of daemon.control.listenBuildHistory(request, world.call))
      world.stdout.write(eventText(event));
    return 0;
  },
});

function eventText(event: control.BuildHistoryEvent): string {
  const { record } = event;
  const attestations = (result: control.BuildResultInfo | undefined, word: string) =>
    (result?.Attestations ?? []).map((one) => `  ${word}attestation: ${descriptorText(one)}`);
  const lines = [
    `event: ${eventName(event)} ref:${record?.Ref ?? ""}`,
    ...(record?.logs ? [`  logs: ${descriptorText(record.logs)}`] : []),
    ...(record?.trace ? [`  trace: ${descriptorText(record.trace)}`] : []),
    ...attestations(record?.Result, ""),
    ...[...(record?.Results ?? [])].flatMap(([key, one]) => attestations(one, `[${key}] `)),
  ];
  return lines.map((line) => `${line}\n`).join("");
}
