// CMD: what a container runs when it is told nothing else.
import type { CmdInstruction } from "../instructions/cmd.ts";
import type { Converter } from "./environment.ts";
import { goQuoteList } from "./go-format.ts";
import { noteLast, warnOfShellForm } from "./last-instruction.ts";
import { commandLine } from "./stage.ts";

export const convertCmd: Converter<CmdInstruction> = (stage, cmd, env) => {
  noteLast(stage, "cmd", cmd, env.linter);
  warnOfShellForm(stage, cmd, env.linter);
  const args = commandLine(stage, cmd.command, cmd.shell);
  // BuildKit sets ArgsEscaped for CMD on every platform.
  stage.config.Cmd = args;
  stage.config.ArgsEscaped = true;
  stage.record(`CMD ${goQuoteList(args)}`, false);
};
