// Sub-requests: answers about a Dockerfile instead of a build (BuildKit's frontend/subrequests).
import type { Attrs } from "../../../api/index.ts";
import { closest, goJson, KilnError } from "../../../base/index.ts";
import {
  type ConvertIo,
  type ConvertOptions,
  convertDockerfile,
  lintDockerfile,
  listTargets,
  type Outline,
  outlineDockerfile,
  type TargetList,
} from "../../../formats/dockerfile/index.ts";
import { readDefinition } from "../../../formats/llb/index.ts";

type Answer = (data: Uint8Array, options: ConvertOptions, io: ConvertIo) => Promise<Attrs>;

const answers: Readonly<Record<string, Answer>> = {
  "frontend.lint": async (data, options, io) => {
    const { result, text, failed } = await lintDockerfile(data, options, io);
    const status = failed ? { "result.statuscode": "1" } : {};
    return { version: "1.0.0", "result.json": goJson(result, 2), "result.txt": text, ...status };
  },
  "frontend.outline": async (data, options, io) => {
    const outline = await outlineDockerfile(data, options, io);
    return {
      version: "1.0.0",
      "result.json": goJson(outline, 2),
      "result.txt": outlineText(outline),
    };
  },
  "frontend.targets": async (data, options) => {
    const list = listTargets(data, options.filename);
    return { version: "1.0.0", "result.json": goJson(list, 2), "result.txt": targetsText(list) };
  },
  "frontend.convertllb": async (data, options, io) => {
    const { definition } = await convertDockerfile(data, options, io);
    return { version: "0.1.0", "result.json": definitionJson(definition) };
  },
  "frontend.subrequests.describe": async () => {
    const list = Object.entries(descriptions).map(([Name, [Version, Description]]) => ({
      Name,
      Version,
      Type: "rpc",
      Description,
      Metadata: [{ Name: "result.json" }, { Name: "result.txt" }],
    }));
    return {
      "result.json": goJson(list, 2),
      "result.txt": table([
        ["NAME", "VERSION", "DESCRIPTION"],
        ...list.map((one) => [one.Name, one.Version, one.Description]),
      ]),
    };
  },
};

const descriptions: Readonly<Record<string, readonly [version: string, description: string]>> = {
  "frontend.outline": ["1.0.0", "List all parameters current build target supports"],
  "frontend.targets": ["1.0.0", "List all targets current build supports"],
  "frontend.lint": ["1.0.0", "Lint a Dockerfile"],
  "frontend.convertllb": ["0.1.0", "Convert a Dockerfile to LLB"],
  "frontend.subrequests.describe": ["1.0.0", "List available subrequest types"],
};

/** Response keys `result.json`, `result.txt` and, for checks that found something, `result.statuscode`. */
export async function answer(
  question: string,
  data: Uint8Array,
  options: ConvertOptions,
  io: ConvertIo,
): Promise<Attrs> {
  const found = answers[question];
  if (found) return await found(data, options, io);
  const near = closest(question, Object.keys(answers));
  throw new KilnError("UNSUPPORTED", `there is no request ${JSON.stringify(question)}`, {
    hint: near ? `Did you mean ${near}?` : `Known requests: ${Object.keys(answers).join(", ")}.`,
  });
}

function outlineText({ name, description, args = [], secrets = [], ssh = [] }: Outline): string {
  const head = [
    ["TARGET:", name ?? "default"],
    ...(description ? [["DESCRIPTION:", description]] : []),
  ];
  const needs = (title: string, list: typeof secrets) =>
    list.length === 0
      ? []
      : [
          table([
            [title, "REQUIRED"],
            ...list.map((one) => [one.name, one.required ? "true" : ""]),
          ]),
        ];
  const blocks = [
    ...(name || description ? [table(head)] : []),
    ...(args.length === 0
      ? []
      : [
          table([
            ["BUILD ARG", "VALUE", "DESCRIPTION"],
            ...args.map((one) => [one.name, one.value ?? "", one.description ?? ""]),
          ]),
        ]),
    ...needs("SECRET", secrets),
    ...needs("SSH", ssh),
  ];
  return blocks.map((block) => `${block}\n`).join("");
}

function targetsText({ targets }: TargetList): string {
  const rows = (targets ?? []).map((one) => {
    const name = one.name ?? "";
    return [one.default ? `${name} (default)`.trim() : name, one.description ?? ""];
  });
  return table([["TARGET", "DESCRIPTION"], ...rows]);
}

/** Columns three spaces apart, as Go's tabwriter lays them out for the reference. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 3),
      )
      .join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}

function definitionJson(definition: Parameters<typeof readDefinition>[0] | undefined): string {
  const { vertices } = definition ? readDefinition(definition) : { vertices: [] };
  const ops = vertices.map(({ digest, op, platform, inputs, metadata }) => ({
    Digest: digest,
    Op: op,
    Platform: platform,
    Inputs: inputs.map((input) => ({ digest: input.vertex.digest, index: input.output })),
    OpMetadata: metadata,
  }));
  return JSON.stringify(
    ops,
    (_key, value) =>
      value instanceof Uint8Array
        ? btoa(String.fromCharCode(...value))
        : typeof value === "bigint"
          ? Number(value)
          : value,
    2,
  );
}
