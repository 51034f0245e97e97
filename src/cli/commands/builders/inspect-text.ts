// The page of `kiln inspect`, line by line as buildx prints it.
import { sortedRecord } from "../../../base/index.ts";
import { tableText } from "../../report/index.ts";
import { type BuilderView, type NodeView, platformNames } from "./builder-views.ts";

/** Lines with tabs are columns; a line without ends a group of columns, as in Go's tabwriter. */
export function inspectText(view: BuilderView): string {
  const lines = [
    `Name:\t${view.name}`,
    `Driver:\t${view.driver}`,
    ...(view.lastActivity ? [`Last Activity:\t${dateText(view.lastActivity)}`] : []),
    ...(view.error === undefined ? [] : [`Error:\t${view.error}`]),
  ];
  if (view.error === undefined) lines.push("", "Nodes:");
  view.nodes.forEach((node, at) => {
    lines.push(...(at === 0 ? [] : [""]), ...nodeLines(node));
  });
  return columns(lines);
}

/** Go's way of printing a time. */
function dateText(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
}

function nodeLines({ record, info }: NodeView): readonly string[] {
  const options = Object.entries(sortedRecord(record.driverOpts));
  const platforms = platformNames(record.platforms, info.platforms);
  const state =
    info.error === undefined
      ? [
          `Status:\t${info.status}`,
          ...(record.flags.length > 0 ? [`BuildKit daemon flags:\t${record.flags.join(" ")}`] : []),
          ...(info.version === undefined ? [] : [`BuildKit version:\t${info.version}`]),
          ...(platforms.length > 0 ? [`Platforms:\t${platforms.join(", ")}`] : []),
          ...labelLines(info),
          ...deviceLines(info),
          ...ruleLines(info),
        ]
      : [`Error:\t${info.error}`];
  return [
    `Name:\t${record.name}`,
    `Endpoint:\t${record.endpoint}`,
    ...(options.length > 0
      ? [
          `Driver Options:\t${options.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(" ")}`,
        ]
      : []),
    ...state,
    ...(info.error === undefined ? fileLines(record) : []),
  ];
}

function labelLines({ labels }: NodeView["info"]): readonly string[] {
  const pairs = Object.entries(sortedRecord(labels));
  return pairs.length === 0
    ? []
    : ["Labels:", ...pairs.map(([key, value]) => `\t${key}:\t${value}`)];
}

function deviceLines({ devices }: NodeView["info"]): readonly string[] {
  if (devices.length === 0) return [];
  const lines = devices.flatMap((device) => {
    const notes = Object.entries(sortedRecord(device.annotations));
    return [
      `\tName:\t${device.name}`,
      ...(device.onDemand
        ? [`\tOn-Demand:\t${device.onDemand}`]
        : [`\tAutomatically allowed:\t${device.autoAllow}`]),
      ...(notes.length > 0
        ? ["\tAnnotations:", ...notes.map(([key, value]) => `\t\t${key}:\t${value}`)]
        : []),
    ];
  });
  return ["Devices:", ...lines];
}

function ruleLines({ gcPolicy }: NodeView["info"]): readonly string[] {
  return gcPolicy.flatMap((rule, at) => [
    `GC Policy rule#${at}:`,
    `\tAll:\t${rule.all}`,
    ...(rule.filter.length > 0 ? [`\tFilters:\t${rule.filter.join(" ")}`] : []),
    ...(rule.keepDuration > 0 ? [`\tKeep Duration:\t${durationText(rule.keepDuration)}`] : []),
    ...spaceLine("Reserved Space", rule.reservedSpace),
    ...spaceLine("Max Used Space", rule.maxUsedSpace),
    ...spaceLine("Min Free Space", rule.minFreeSpace),
  ]);
}

function spaceLine(name: string, bytes: number): readonly string[] {
  return bytes > 0 ? [`\t${name}:\t${binarySizeText(bytes)}`] : [];
}

/** Go's time.Duration, for whole seconds: `48h0m0s`. */
function durationText(nanoseconds: number): string {
  const seconds = nanoseconds / 1e9;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}

const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Four significant digits with binary units, as docker/go-units BytesSize: `3.346GiB`. */
function binarySizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < binaryUnits.length - 1; unit++) value /= 1024;
  return `${Number(value.toPrecision(4))}${binaryUnits[unit]}`;
}

function fileLines({ files }: NodeView["record"]): readonly string[] {
  return Object.entries(sortedRecord(files)).flatMap(([name, data]) => [
    `File#${name}:`,
    ...new TextDecoder()
      .decode(data)
      .split("\n")
      .map((line) => `\t> ${line}`),
  ]);
}

function columns(lines: readonly string[]): string {
  let text = "";
  let group: string[][] = [];
  const flush = () => {
    text += tableText(group, 1);
    group = [];
  };
  for (const line of lines) {
    if (line.includes("\t")) group.push(line.split("\t"));
    else {
      flush();
      text += `${line}\n`;
    }
  }
  flush();
  return text;
}
