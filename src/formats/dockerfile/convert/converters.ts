// Which converter turns which instruction into changes of a stage; an instruction without one does not compile.
import {
  type ExpandWord,
  expandAdd,
  expandCopy,
  expandEnv,
  expandLabel,
  expandStopSignal,
  expandUser,
  expandVolume,
  expandWorkdir,
  type StageInstruction,
} from "../instructions/index.ts";
import { isPlain } from "../shell-words.ts";
import { convertAdd } from "./add.ts";
import { convertArg } from "./arg.ts";
import { convertCmd } from "./cmd.ts";
import { convertCopy } from "./copy.ts";
import { convertEntrypoint } from "./entrypoint.ts";
import { convertEnv } from "./env-instruction.ts";
import type { ConvertEnv, Converter } from "./environment.ts";
import { convertExpose } from "./expose.ts";
import { convertHealthcheck } from "./healthcheck.ts";
import { convertLabel } from "./label.ts";
import { convertMaintainer } from "./maintainer.ts";
import { convertOnbuild } from "./onbuild-instruction.ts";
import { convertRun } from "./run.ts";
import { convertShell } from "./shell.ts";
import type { Stage } from "./stage.ts";
import { convertStopSignal } from "./stop-signal.ts";
import { convertUser } from "./user.ts";
import { convertVolume } from "./volume.ts";
import { convertWorkdir } from "./workdir.ts";

type Kind = StageInstruction["kind"];
type InstructionOf<K extends Kind> = Extract<StageInstruction, { readonly kind: K }>;

const converters: { readonly [K in Kind]: Converter<InstructionOf<K>> } = {
  add: convertAdd,
  arg: convertArg,
  cmd: convertCmd,
  copy: convertCopy,
  entrypoint: convertEntrypoint,
  env: convertEnv,
  expose: convertExpose,
  healthcheck: convertHealthcheck,
  label: convertLabel,
  maintainer: convertMaintainer,
  onbuild: convertOnbuild,
  run: convertRun,
  shell: convertShell,
  stopsignal: convertStopSignal,
  user: convertUser,
  volume: convertVolume,
  workdir: convertWorkdir,
};

/** Changes the stage as an instruction says, whose words are expanded already. */
export function convertInstruction(
  stage: Stage,
  instruction: StageInstruction,
  env: ConvertEnv,
): void {
  const convert = converters[instruction.kind] as Converter<StageInstruction>;
  convert(stage, instruction, env);
}

/** The instruction with its variables replaced, as far as that does not depend on more than the stage's variables. */
export function expandInstruction(
  instruction: StageInstruction,
  stage: Stage,
  env: ConvertEnv,
): StageInstruction {
  const hasFiles = "inline" in instruction && instruction.inline.length > 0;
  // Most instructions have neither variables nor quotes, which makes all their words plain.
  if (!hasFiles && isPlain(instruction.code)) return instruction;
  const expand: ExpandWord = (word) => env.expandNoted(word, stage, instruction);
  const content: ExpandWord = (text) => env.expandContentNoted(text, stage, instruction);
  switch (instruction.kind) {
    case "add":
      return withContents(instruction, (files) => expandAdd(files, expand), content);
    case "copy":
      return withContents(instruction, (files) => expandCopy(files, expand), content);
    case "env":
      return expandEnv(instruction, expand);
    case "label":
      return expandLabel(instruction, expand);
    case "stopsignal":
      return expandStopSignal(instruction, expand);
    case "user":
      return expandUser(instruction, expand);
    case "volume":
      return expandVolume(instruction, expand);
    case "workdir":
      return expandWorkdir(instruction, expand);
    default:
      return instruction;
  }
}

type WithInline = InstructionOf<"add"> | InstructionOf<"copy">;

/** Contents of inline files have rules of their own. */
function withContents<I extends WithInline>(
  instruction: I,
  expandWords: (files: I) => I,
  content: ExpandWord,
): I {
  const { inline } = instruction;
  const expanded = expandWords({ ...instruction, inline: [] });
  return {
    ...expanded,
    inline: inline.map((file) => (file.expand ? { ...file, data: content(file.data) } : file)),
  };
}
