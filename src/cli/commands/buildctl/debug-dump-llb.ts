// kiln buildctl debug dump-llb: a definition as JSON or as a graph for dot. Needs no daemon.
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { fromNodeError, readAll } from "../../../base/index.ts";
import {
  type Definition,
  decodeDefinition,
  definitionJson,
  MAX_DEFINITION_BYTES,
  opJson,
} from "../../../formats/llb/index.ts";
import { pb } from "../../../formats/proto/index.ts";
import type { Command, World } from "../command.ts";
import { buildctlCommand, during } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";

export const debugDumpLlb: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "debug", "dump-llb"],
    argsUsage: "[FILE | -]",
    args: { min: 0, max: 1 },
    summary: "Dump LLB in human-readable format",
    about:
      "LLB can be also passed via standard input. This command does not require the daemon to be running.",
    examples: [
      { what: "Draw a definition", run: "kiln buildctl debug dump-llb --dot def.pb | dot -Tsvg" },
    ],
    flags: { ...buildctlFlags, dot: { type: "bool", usage: "Output dot format" } },
  },
  async run({ values }, [file = "-"], world) {
    const definition = await read(file, world);
    world.stdout.write(values.dot ? dotText(definition) : jsonText(definition));
    return 0;
  },
});

async function read(file: string, { stdin, cwd }: World): Promise<Definition> {
  const source = file === "-" ? stdin : createReadStream(resolve(cwd, file));
  try {
    const bytes = await readAll(source, MAX_DEFINITION_BYTES, "definition");
    return await during("failed to parse op", async () => decodeDefinition(bytes));
  } catch (error) {
    throw fromNodeError(error, `open ${file}`);
  }
}

/** One op a line, in the order in which they stand. */
function jsonText(definition: Definition): string {
  const { metadata } = definitionJson(definition);
  return definition.ops
    .map(({ bytes, digest }) => {
      const { op, inputs } = opJson(bytes);
      const whole = { ...(inputs.length > 0 ? { inputs } : {}), ...(op as object) };
      return `${JSON.stringify({ Op: whole, Digest: digest, OpMetadata: metadata[digest] ?? {} })}\n`;
    })
    .join("");
}

function dotText(definition: Definition): string {
  const ops = definition.ops.map(({ bytes, digest }) => ({ digest, op: pb.Op.decode(bytes) }));
  const text = (value: string) => JSON.stringify(value);
  const nodes = ops.map(({ digest, op }) => {
    const [label, shape] = lookOf(op, digest);
    return `  ${text(digest)} [label=${text(label)} shape=${text(shape)}];\n`;
  });
  const edges = ops.flatMap(({ digest, op }) =>
    op.inputs.map((input, index) => {
      const label = text(mountOf(op, index));
      return `  ${text(input.digest)} -> ${text(digest)} [label=${label}];\n`;
    }),
  );
  return `digraph {\n${nodes.join("")}${edges.join("")}}\n`;
}

/** Where a step sees an input, unless that is its root. */
function mountOf({ op }: pb.Op, input: number): string {
  if (op?.$case !== "exec") return "";
  const found = op.value.mounts.find((mount) => mount.input === input && mount.dest !== "/");
  return found?.dest ?? "";
}

function lookOf({ op }: pb.Op, digest: string): readonly [label: string, shape: string] {
  switch (op?.$case) {
    case "source":
      return [op.value.identifier, "ellipse"];
    case "exec":
      return [op.value.meta?.args.join(" ") ?? "", "box"];
    case "build":
      return ["build", "box3d"];
    case "merge":
      return ["merge", "invtriangle"];
    case "diff":
      return ["diff", "doublecircle"];
    case "passthrough":
      return [`passthrough{id=${op.value.id}}`, "box"];
    case "file":
      return [op.value.actions.map(actionText).join(","), "note"];
    default:
      return [digest, "plaintext"];
  }
}

function actionText({ action }: pb.FileAction): string {
  switch (action?.$case) {
    case "copy":
      return `copy{src=${action.value.src}, dest=${action.value.dest}}`;
    case "mkfile":
      return `mkfile{path=${action.value.path}}`;
    case "mkdir":
      return `mkdir{path=${action.value.path}}`;
    case "rm":
      return `rm{path=${action.value.path}}`;
    case "symlink":
      return `symlink{oldpath=${action.value.oldpath}, newpath=${action.value.newpath}}`;
    default:
      return "";
  }
}
