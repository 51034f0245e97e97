// SHELL: the words that go before every later line in shell form.
import type { ShellInstruction } from "../instructions/shell.ts";
import type { Converter } from "./environment.ts";
import { goList } from "./go-format.ts";

export const convertShell: Converter<ShellInstruction> = (stage, { shell }) => {
  stage.config.Shell = shell;
  stage.record(`SHELL ${goList(shell)}`, false);
};
