// ENTRYPOINT: the program that a container is.
import type { EntrypointInstruction } from "../instructions/entrypoint.ts";
import type { Converter } from "./environment.ts";
import { goQuoteList } from "./go-format.ts";
import { recorded } from "./history.ts";
import { noteLast, warnOfShellForm } from "./last-instruction.ts";
import { commandLine, configured } from "./stage.ts";

export const convertEntrypoint: Converter<EntrypointInstruction> = (stage, entrypoint, env) => {
  const noted = noteLast(stage, "entrypoint", entrypoint, env.linter);
  warnOfShellForm(stage, entrypoint, env.linter);
  const args = commandLine(stage, entrypoint.command, entrypoint.shell);
  // A CMD of the base image was meant for the base's entrypoint.
  const cmd = stage.last.cmd === undefined ? { Cmd: [] } : {};
  return recorded(
    configured(noted, { Entrypoint: args, ...cmd }),
    `ENTRYPOINT ${goQuoteList(args)}`,
    false,
  );
};
