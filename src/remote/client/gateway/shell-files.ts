// Files of a container on builders that cannot read them for clients: asked of a shell inside, where there is one.
import { posix } from "node:path";
import type { Container, ContainerProcess, FileStat, ResultRef } from "../../../api/index.ts";
import { type Call, KilnError } from "../../../base/index.ts";

/** Bytes of one answer, as of one file. */
const maxAnswer = 256 << 20;
const maxWords = 1 << 20;

/** Type and permissions in hexadecimal, size, owner, group, seconds. */
const facts = "stat -c '%f %s %u %g %Y'";

const scripts = {
  stat: `[ -e "$1" ] || exit 44; ${facts} -L -- "$1"`,
  list: `[ -d "$1" ] || exit 44; cd -- "$1" || exit 1
for f in * .[!.]* ..?*; do
  [ -e "$f" ] || [ -L "$f" ] || continue
  ${facts} -- "$f" && printf '%s\\0' "$f" || exit 1
  if [ -L "$f" ]; then readlink -- "$f"; fi; printf '\\0'
done`,
  read: `[ -e "$1" ] || exit 44; cat -- "$1"`,
  start: `[ -e "$1" ] || exit 44; head -c "$2" -- "$1"`,
} as const;

/** The exit code of the scripts for what is not there. */
const missing = 44;

/** How commands are run: a container that lives while it is asked, and how a process in it is described. */
export interface ShellPlace {
  readonly container: (call: Call) => Promise<Container>;
  readonly process: (args: readonly string[]) => ContainerProcess["op"];
  /** Where in the container the files lie. */
  readonly target: string;
}

/** Throws `UNSUPPORTED` where the container has no shell. */
export function shellFiles(place: ShellPlace): ResultRef {
  const ask = async (
    script: keyof typeof scripts,
    path: string,
    more: readonly string[],
    call: Call,
  ) => await answerOf(place, scripts[script], [posix.join(place.target, path), ...more], call);
  const read = async (path: string, call: Call) => {
    const data = await ask("read", path, [], call);
    if (data) return data;
    throw new KilnError("PATH_INVALID", `open ${path}: no such file or directory`);
  };
  const entries = async (path: string, call: Call) => {
    const listed = await ask("list", path, [], call);
    if (listed) return readList(new TextDecoder().decode(listed));
    throw new KilnError("PATH_INVALID", `open ${path}: no such file or directory`);
  };
  return {
    readFile: read,
    readStart: (path, length, call) => ask("start", path, [String(length)], call),
    readDir: async (path, call) => (await entries(path, call)).map(({ name }) => name),
    entries: async (path, include, call) => {
      const found = await entries(path, call);
      return include === undefined
        ? found
        : found.filter(({ name }) => matcher(include).test(name));
    },
    stat: async (path, call) => {
      const found = await ask("stat", path, [], call);
      return found && readFacts(new TextDecoder().decode(found));
    },
  };
}

/** Of names without a slash: any characters, and any one. */
function matcher(pattern: string): RegExp {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${source.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}

/** Undefined where the path is not there. */
async function answerOf(
  { container, process }: ShellPlace,
  script: string,
  args: readonly string[],
  call: Call,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let said = "";
  const running = (await container(call)).start(
    {
      op: process(["/bin/sh", "-c", script, "sh", ...args]),
      output(stream, data) {
        if (stream === 1) chunks.push(data.slice());
        else if (said.length < maxWords) said += new TextDecoder().decode(data);
        size += data.length;
        if (size > maxAnswer)
          throw new KilnError("UNSUPPORTED", `${args[0]} is larger than ${maxAnswer} bytes`);
      },
    },
    call,
  );
  const code = await running.exit;
  if (code === missing) return undefined;
  if (code === 0) return joined(chunks, size);
  throw new KilnError(
    "UNSUPPORTED",
    `cannot read ${args[0]} in the build: ${said.trim() || code}`,
    {
      hint: "This builder reads files of a step by a shell in it. A newer BuildKit (0.27) does without.",
    },
  );
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all.subarray(0, at);
}

function readFacts(line: string): FileStat {
  const [mode = "", size, uid, gid, seconds] = line.trim().split(" ");
  return {
    mode: Number.parseInt(mode, 16),
    size: Number(size),
    uid: Number(uid),
    gid: Number(gid),
    mtime: BigInt(seconds ?? 0) * 1_000_000_000n,
  };
}

/** Each is a line of facts, the name, and where a link points, both ended by a zero byte. */
function readList(text: string): readonly (FileStat & { readonly name: string })[] {
  const fields = text.split("\0");
  const found: (FileStat & { readonly name: string })[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [line = "", ...rest] = (fields[at] ?? "").split("\n");
    const link = (fields[at + 1] ?? "").replace(/\n$/, "");
    found.push({
      name: rest.join("\n"),
      ...readFacts(line),
      ...(link === "" ? {} : { linkname: link }),
    });
  }
  return found;
}
