// RUN with inline files: a script with an interpreter, lines for the shell, or input of a command.
import { type MountSpec, scratch } from "../../llb/index.ts";
import { chompHeredoc, parseHeredoc } from "../heredoc.ts";
import type { RunInstruction } from "../instructions/index.ts";
import { trimSpace } from "../text.ts";
import { joinPaths } from "./paths.ts";
import { dockerfileError } from "./problem.ts";
import type { Stage } from "./stage.ts";

/** What is run, before the shell's words. */
export interface RunScript {
  readonly args: readonly string[];
  /** Where the process finds the inline file, if it is a program of its own. */
  readonly mounts: readonly MountSpec[];
  /** The instruction for people. */
  readonly words: string;
}

const scriptDir = "/dev/pipes/";

export function runScript(stage: Stage, run: RunInstruction): RunScript {
  const { command, files, code } = run;
  const [file] = files;
  if (file === undefined) return { args: command, mounts: [], words: code };
  const [line] = command;
  if (line === undefined || command.length > 1 || !run.shell) {
    throw dockerfileError(
      "a RUN with inline files must be in shell form",
      "Write RUN <<EOF without a JSON array.",
    );
  }
  if (parseHeredoc(line) === undefined)
    return { args: [wholeScript(line, run)], mounts: [], words: code };
  const words = `${code} (${summary(file.data)})`;
  const data = file.chomp ? chompHeredoc(file.data) : file.data;
  if (stage.image.os === "windows" || !data.startsWith("#!"))
    return { args: [data], mounts: [], words };
  return {
    args: [joinPaths(scriptDir, file.name)],
    mounts: [scriptMount(stage, file.name, data)],
    words,
  };
}

/** The line with its inline files put back, for the shell to make sense of. */
function wholeScript(line: string, { files }: RunInstruction): string {
  return line + files.map(({ data, name }) => `\n${data}${name}`).join("");
}

function scriptMount(stage: Stage, name: string, data: string): MountSpec {
  const script = scratch().file(
    [{ kind: "mkfile", path: name, mode: 0o755, data: new TextEncoder().encode(data) }],
    { name: "[internal] preparing inline document", platform: stage.platform },
  );
  return {
    target: scriptDir,
    readonly: true,
    selector: "/",
    source: script.output,
  };
}

function summary(document: string): string {
  const [first = "", ...more] = trimSpace(document).replaceAll("\r\n", "\n").split("\n");
  return more.length > 0 ? `${first}...` : first;
}
