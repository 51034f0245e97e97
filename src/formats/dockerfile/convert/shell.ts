// SHELL: the words that go before every later line in shell form.
import type { ShellInstruction } from "../instructions/shell.ts";
import type { Converter } from "./environment.ts";
import { goList } from "./go-format.ts";
import { recorded } from "./history.ts";
import { configured } from "./stage.ts";

export const convertShell: Converter<ShellInstruction> = (stage, { shell }) =>
  recorded(configured(stage, { Shell: shell }), `SHELL ${goList(shell)}`, false);
