// All instructions: the union of their types, and the table from keyword to parser that the compiler checks.
import { type AddInstruction, parseAdd } from "./add.ts";
import { type ArgInstruction, parseArg } from "./arg.ts";
import { type CmdInstruction, parseCmd } from "./cmd.ts";
import { type CopyInstruction, parseCopy } from "./copy.ts";
import { type EntrypointInstruction, parseEntrypoint } from "./entrypoint.ts";
import { type EnvInstruction, parseEnv } from "./env.ts";
import { type ExposeInstruction, parseExpose } from "./expose.ts";
import { type FromInstruction, parseFrom } from "./from.ts";
import { type HealthcheckInstruction, parseHealthcheck } from "./healthcheck.ts";
import type { Request } from "./instruction.ts";
import { type LabelInstruction, parseLabel } from "./label.ts";
import { type MaintainerInstruction, parseMaintainer } from "./maintainer.ts";
import { type OnbuildInstruction, parseOnbuild } from "./onbuild.ts";
import { parseRun, type RunInstruction } from "./run.ts";
import { parseShell, type ShellInstruction } from "./shell.ts";
import { parseStopSignal, type StopSignalInstruction } from "./stop-signal.ts";
import { parseUser, type UserInstruction } from "./user.ts";
import { parseVolume, type VolumeInstruction } from "./volume.ts";
import { parseWorkdir, type WorkdirInstruction } from "./workdir.ts";

export { expandAdd } from "./add.ts";
export type { BuildArg } from "./arg.ts";
export type { CommandLine, InlineFile } from "./command-line.ts";
export { expandCopy } from "./copy.ts";
export type { RunDevice } from "./device.ts";
export { expandEnv } from "./env.ts";
export { type ExpandWord, type InstructionBase, type KeyValue, Mistake } from "./instruction.ts";
export { expandLabel } from "./label.ts";
export type { MountSharing, MountType, RunMount } from "./mount.ts";
export { type RunNetwork, type RunSecurity, readMounts } from "./run.ts";
export type { InlineSource, Sources } from "./sources.ts";
export { expandStopSignal } from "./stop-signal.ts";
export { expandUser } from "./user.ts";
export { expandVolume } from "./volume.ts";
export { expandWorkdir } from "./workdir.ts";
export type {
  AddInstruction,
  ArgInstruction,
  CmdInstruction,
  CopyInstruction,
  EntrypointInstruction,
  EnvInstruction,
  ExposeInstruction,
  FromInstruction,
  HealthcheckInstruction,
  LabelInstruction,
  MaintainerInstruction,
  OnbuildInstruction,
  RunInstruction,
  ShellInstruction,
  StopSignalInstruction,
  UserInstruction,
  VolumeInstruction,
  WorkdirInstruction,
};

/** Any instruction. */
export type Instruction =
  | AddInstruction
  | ArgInstruction
  | CmdInstruction
  | CopyInstruction
  | EntrypointInstruction
  | EnvInstruction
  | ExposeInstruction
  | FromInstruction
  | HealthcheckInstruction
  | LabelInstruction
  | MaintainerInstruction
  | OnbuildInstruction
  | RunInstruction
  | ShellInstruction
  | StopSignalInstruction
  | UserInstruction
  | VolumeInstruction
  | WorkdirInstruction;

export type InstructionKind = Instruction["kind"];

/** An instruction inside a stage. */
export type StageInstruction = Exclude<Instruction, FromInstruction>;

/** The parser of each kind; a kind without one does not compile. */
export const instructionParsers: {
  readonly [Kind in InstructionKind]: (request: Request) => Extract<Instruction, { kind: Kind }>;
} = {
  add: parseAdd,
  arg: parseArg,
  cmd: parseCmd,
  copy: parseCopy,
  entrypoint: parseEntrypoint,
  env: parseEnv,
  expose: parseExpose,
  from: parseFrom,
  healthcheck: parseHealthcheck,
  label: parseLabel,
  maintainer: parseMaintainer,
  onbuild: parseOnbuild,
  run: parseRun,
  shell: parseShell,
  stopsignal: parseStopSignal,
  user: parseUser,
  volume: parseVolume,
  workdir: parseWorkdir,
};

/** True when `word` is a keyword in lower case. */
export function isInstructionKind(word: string): word is InstructionKind {
  return Object.hasOwn(instructionParsers, word);
}
