// ENTRYPOINT: the program that a container is.
import type { EntrypointInstruction } from "../instructions/entrypoint.ts";
import type { Converter } from "./environment.ts";
import { goQuoteList } from "./go-format.ts";
import { noteLast, warnOfShellForm } from "./last-instruction.ts";
import { commandLine } from "./stage.ts";

export const convertEntrypoint: Converter<EntrypointInstruction> = (stage, entrypoint, env) => {
  noteLast(stage, "entrypoint", entrypoint, env.linter);
  warnOfShellForm(stage, entrypoint, env.linter);
  const args = commandLine(stage, entrypoint.command, entrypoint.shell);
  stage.config.Entrypoint = args;
  // A CMD of the base image was meant for the base's entrypoint.
  if (stage.last.cmd === undefined) stage.config.Cmd = [];
  stage.record(`ENTRYPOINT ${goQuoteList(args)}`, false);
};
