// CMD: what a container runs when it is told nothing else.
import type { CmdInstruction } from "../instructions/cmd.ts";
import type { Converter } from "./environment.ts";
import { goQuoteList } from "./go-format.ts";
import { recorded } from "./history.ts";
import { noteLast, warnOfShellForm } from "./last-instruction.ts";
import { commandLine, configured } from "./stage.ts";

export const convertCmd: Converter<CmdInstruction> = (stage, cmd, env) => {
  const noted = noteLast(stage, "cmd", cmd, env.linter);
  warnOfShellForm(stage, cmd, env.linter);
  const args = commandLine(stage, cmd.command, cmd.shell);
  // BuildKit sets ArgsEscaped for CMD on every platform.
  const changed = configured(noted, { Cmd: args, ArgsEscaped: true });
  return recorded(changed, `CMD ${goQuoteList(args)}`, false);
};
