// kiln buildctl debug workers: what a daemon's workers are.

import { formatPlatform, normalizePlatform } from "../../../formats/oci/index.ts";
import type { control, workers } from "../../../formats/proto/index.ts";
import { type Shape, structOf } from "../../../formats/template/index.ts";
import type { Command } from "../command.ts";
import { openDaemon } from "./connection.ts";
import { buildctlCommand, during } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";
import { formatFlag, formatOf } from "./format.ts";
import { goDuration } from "./go-duration.ts";
import { byteText, tabbedText } from "./tabbed-text.ts";

export const debugWorkers: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "debug", "workers"],
    args: { min: 0, max: 0 },
    summary: "List workers",
    flags: {
      ...buildctlFlags,
      filter: {
        type: "stringArray",
        short: "f",
        value: "filter",
        usage: "containerd-style filter string slice",
      },
      format: formatFlag,
      verbose: { type: "bool", short: "v", usage: "Verbose output" },
    },
  },
  async run({ values }, _args, world) {
    const format = formatOf(values.format);
    const found = await during("failed to list workers", async () => {
      await using daemon = await openDaemon(values, world);
      return (await daemon.control.listWorkers({ filter: [...values.filter] }, world.call)).record;
    });
    if (format)
      world.stdout.write(
        `${format.execute(found.map((one) => structOf(workerJson(one), shape)))}\n`,
      );
    else world.stdout.write(values.verbose ? found.map(block).join("") : table(found));
    return 0;
  },
});

type Worker = control.ListWorkersResponse["record"][number];

function table(found: readonly Worker[]): string {
  return tabbedText([["ID", "PLATFORMS"], ...found.map((one) => [one.ID, platformsOf(one)])]);
}

function platformsOf({ platforms }: Worker): string {
  return platforms.map((one) => formatPlatform(platformOf(one))).join(",");
}

function platformOf({ OS, Architecture, Variant }: workers.WorkerRecord["platforms"][number]) {
  return normalizePlatform({
    os: OS,
    architecture: Architecture,
    ...(Variant === "" ? {} : { variant: Variant }),
  });
}

function block(worker: Worker): string {
  const { package: name = "", version = "", revision = "" } = worker.BuildkitVersion ?? {};
  const labels = [...worker.Labels].sort(([a], [b]) => (a < b ? -1 : 1));
  return `${tabbedText([
    ["ID:", worker.ID],
    ["Platforms:", platformsOf(worker)],
    ["BuildKit:", `${name} ${version} ${revision}`],
    ["Labels:"],
    ...labels.map(([key, value]) => ["", `${key}:`, value]),
    ...(worker.CDIDevices.length === 0 ? [] : [["Devices:"]]),
    ...worker.CDIDevices.flatMap(deviceRows),
    ...worker.GCPolicy.flatMap(ruleRows),
  ])}\n`;
}

function deviceRows(device: workers.CDIDevice): readonly string[][] {
  const annotations = [...device.Annotations].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ["", "Name:", device.Name],
    ...(device.OnDemand ? [["", "OnDemand:", "true"]] : []),
    ...(device.AutoAllow ? [["", "AutoAllow:", "true"]] : []),
    ...(annotations.length === 0 ? [] : [["", "Annotations:"]]),
    ...annotations.map(([key, value]) => ["", "", `${key}:`, value]),
  ];
}

function ruleRows(rule: workers.GCPolicy, index: number): readonly string[][] {
  const size = (name: string, bytes: number) =>
    bytes > 0 ? [["", name, byteText(bytes, true)]] : [];
  return [
    [`GC Policy rule#${index}:`],
    ["", "All:", String(rule.all)],
    ...(rule.filters.length > 0 ? [["", "Filters:", rule.filters.join(" ")]] : []),
    ...(rule.keepDuration > 0 ? [["", "Keep Duration:", goDuration(rule.keepDuration)]] : []),
    ...size("Reserved Space:", rule.reservedSpace),
    ...size("Maximum Used Space:", rule.maxUsedSpace),
    ...size("Minimum Free Space:", rule.minFreeSpace),
  ];
}

const shape: Shape = {
  ID: { member: "id" },
  Labels: { member: "labels" },
  Platforms: {
    member: "platforms",
    list: true,
    shape: {
      OS: { member: "os" },
      Architecture: { member: "architecture" },
      Variant: { member: "variant", zero: "" },
    },
  },
  GCPolicy: {
    member: "gcPolicy",
    list: true,
    shape: {
      Filter: { member: "filter" },
      All: { member: "all" },
      KeepDuration: { member: "keepDuration" },
      ReservedSpace: { member: "reservedSpace" },
      MaxUsedSpace: { member: "maxUsedSpace" },
      MinFreeSpace: { member: "minFreeSpace" },
    },
  },
  BuildkitVersion: {
    member: "buildkitVersion",
    shape: {
      Package: { member: "package" },
      Version: { member: "version" },
      Revision: { member: "revision" },
    },
  },
  CDIDevices: { member: "cdiDevices", zero: [] },
};

function workerJson(worker: Worker): Readonly<Record<string, unknown>> {
  return {
    id: worker.ID,
    labels: Object.fromEntries(worker.Labels),
    platforms: worker.platforms.map(({ OS, Architecture, Variant }) => ({
      architecture: Architecture,
      os: OS,
      ...(Variant === "" ? {} : { variant: Variant }),
    })),
    gcPolicy: worker.GCPolicy.map(({ filters, ...rule }) => ({
      filter: filters.length > 0 ? filters : null,
      ...rule,
    })),
    buildkitVersion: worker.BuildkitVersion ?? { package: "", version: "", revision: "" },
    cdiDevices: worker.CDIDevices.length > 0 ? worker.CDIDevices : null,
  };
}
