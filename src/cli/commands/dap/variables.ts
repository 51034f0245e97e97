// What an editor shows of an instruction: its arguments, and the files it begins with, opened as they are looked at.
import { posix } from "node:path";
import type { FileStat, ResultRef } from "../../../api/index.ts";
import type { Call } from "../../../base/index.ts";
import type { Instruction } from "./program.ts";

/** As the protocol has it; a reference of 0 has nothing inside. */
export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly variablesReference: number;
}

type Open = (call: Call) => Promise<readonly Variable[]>;

/** Bytes of a file that are shown, and characters of a long value. */
const maxShown = 64 << 10;
const maxBrief = 60;
const types = { mask: 0o170000, directory: 0o040000, file: 0o100000 } as const;

/** Names by number what can be opened, until it is cleared. */
export class Variables {
  readonly #open = new Map<number, Open>();
  #last = 0;

  /** Numbers given before mean nothing any more. */
  clear(): void {
    this.#open.clear();
  }

  add(open: Open): number {
    this.#last++;
    this.#open.set(this.#last, open);
    return this.#last;
  }

  /** None for a number that means nothing. */
  async read(reference: number, call: Call): Promise<readonly Variable[]> {
    return (await this.#open.get(reference)?.(call)) ?? [];
  }

  argumentsOf({ platform, exec }: Instruction): number {
    return this.add(async () => [
      ...(platform === "" ? [] : [leaf("platform", platform)]),
      ...(exec ? [this.#exec(exec)] : []),
    ]);
  }

  #exec(exec: NonNullable<Instruction["exec"]>): Variable {
    const { args, env, mounts } = exec;
    const targets = mounts.map(({ target }) => target);
    const inside = this.add(async () => [
      this.#list("args", [...args.entries()].map(numbered), args),
      this.#list("env", env.map(pair), env),
      leaf("workdir", exec.cwd),
      ...(exec.user === "" ? [] : [leaf("user", exec.user)]),
      leaf("network", exec.network),
      this.#list(
        "mounts",
        mounts.map(({ target, type }) => [target, type]),
        targets,
      ),
    ]);
    return { name: "exec", value: args.join(" "), variablesReference: inside };
  }

  filesOf(files: ResultRef, path: string): number {
    return this.add(async (call) => {
      const entries = await files.entries(path, undefined, call);
      return entries.map(({ name, ...stat }) => this.#file(files, posix.join(path, name), stat));
    });
  }

  #file(files: ResultRef, path: string, stat: FileStat): Variable {
    const name = posix.basename(path);
    const type = stat.mode & types.mask;
    if (type === types.directory)
      return { name: `${name}/`, value: "", variablesReference: this.filesOf(files, path) };
    const inside = this.add(async (call) => [
      ...(type === types.file ? [leaf("data", await textOf(files, path, call))] : []),
      ...(stat.linkname === undefined ? [] : [leaf("linkname", stat.linkname)]),
      leaf("mode", (stat.mode & 0o7777).toString(8).padStart(4, "0")),
      leaf("uid", String(stat.uid)),
      leaf("gid", String(stat.gid)),
      leaf("size", String(stat.size)),
      leaf("mtime", new Date(Number(stat.mtime / 1_000_000n)).toISOString()),
    ]);
    const value = stat.linkname === undefined ? `${stat.size} bytes` : `-> ${stat.linkname}`;
    return { name, value, variablesReference: inside };
  }

  #list(
    name: string,
    pairs: readonly (readonly [string, string])[],
    words: readonly string[],
  ): Variable {
    const text = words.join(" ");
    return {
      name,
      value: text.length > maxBrief ? `${text.slice(0, maxBrief)} ...` : text,
      variablesReference: this.add(async () => pairs.map(([key, value]) => leaf(key, value))),
    };
  }
}

function leaf(name: string, value: string): Variable {
  return { name, value, variablesReference: 0 };
}

function numbered([at, text]: readonly [number, string]): readonly [string, string] {
  return [String(at), text];
}

function pair(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

async function textOf(files: ResultRef, path: string, call: Call): Promise<string> {
  const data = await files.readStart(path, maxShown, call);
  if (!data) return "";
  return data.includes(0) ? "binary data" : new TextDecoder().decode(data);
}
