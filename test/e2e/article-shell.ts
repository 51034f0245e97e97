// A shell in which commands of articles run as they are written: docker, sudo and a home directory, all of them stand-ins.
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Outcome, World } from "./world.ts";

const kiln = resolve(import.meta.dirname, "../../bin/kiln");

/**
 * What docker's command does with each of its own: buildx and build go to the plugin, as docker itself does it; what needs
 * docker's engine is done by Kiln's command of that name. A container of moby/buildkit is Kiln's daemon.
 */
const docker = `#!/bin/sh
plugin=$HOME/.docker/cli-plugins/docker-buildx
case $1 in
  buildx) exec "$plugin" "$@" ;;
  build) exec "$plugin" buildx "$@" ;;
  cp) exec ln -sf '${kiln}' "$ARTICLE_BIN/\${2##*/}" ;;
  run)
    case " $* " in
      *' moby/buildkit'*)
        while [ "\${1#moby/buildkit}" = "$1" ]; do shift; done
        shift
        setsid buildkitd --root "$ARTICLE_DAEMON" "$@" >"$ARTICLE_DAEMON.log" 2>&1 </dev/null &
        echo $! >"$ARTICLE_DAEMON.pid"
        echo 4f5e6d7c8b9a
        exit 0 ;;
    esac
    exec kiln "$@" ;;
  *) exec kiln "$@" ;;
esac
`;

const programs: Readonly<Record<string, string>> = {
  docker,
  sudo: '#!/bin/sh\nexec "$@"\n',
};

export interface ArticleShell extends Disposable {
  readonly home: string;
  /** Directory of the stand-ins, first in PATH. */
  readonly bin: string;
  /** Runs a line with `sh`; `export` and `cd` last until the next. */
  type(line: string): Promise<Outcome>;
  /** The same, where the line must succeed. */
  typed(line: string): Promise<Outcome>;
  /** Replaces words of lines before they run: names of registries that are not here. */
  readonly names: Map<string, string>;
}

/** A shell in `directory`, with a new home below the world's directory. */
export function openArticleShell(world: World, directory: string): ArticleShell {
  const place = join(world.directory, `article-${process.hrtime.bigint()}`);
  const [home, bin, daemon] = ["home", "bin", "daemon"].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [home, bin]) mkdirSync(path, { recursive: true });
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
  for (const name of ["kiln", "buildkitd"]) symlinkSync(kiln, join(bin, name));
  const names = new Map<string, string>();
  let state = `cd '${directory}'`;
  const env: NodeJS.ProcessEnv = {
    HOME: home,
    PATH: `${bin}:${process.env["PATH"]}`,
    KILN_CONFIG: join(world.directory, "kiln.toml"),
    KILN_ROOT: world.root,
    NO_COLOR: "1",
    USER: "me",
    ARTICLE_BIN: bin,
    ARTICLE_DAEMON: daemon,
  };
  const stateFile = join(place, "state");
  const type = async (line: string): Promise<Outcome> => {
    let text = line;
    for (const [from, to] of names) text = text.replaceAll(from, to);
    const script = `${state}\n${text}\nstatus=$?\n{ export -p; printf "cd '%s'\\n" "$PWD"; } >'${stateFile}'\nexit $status\n`;
    const outcome = await run(script, env);
    state = readFileSync(stateFile, "utf8");
    return outcome;
  };
  return {
    home,
    bin,
    names,
    type,
    async typed(line) {
      const outcome = await type(line);
      if (outcome.status === 0) return outcome;
      const { status, stdout, stderr } = outcome;
      throw new Error(`${line}\nended with ${status}:\n${stdout}${stderr}`);
    },
    [Symbol.dispose]() {
      try {
        process.kill(Number(readFileSync(`${daemon}.pid`, "utf8")), "SIGKILL");
      } catch {
        // No daemon was started, or it has ended.
      }
    },
  };
}

function run(script: string, env: NodeJS.ProcessEnv): Promise<Outcome> {
  const begin = performance.now();
  return new Promise((done, reject) => {
    const child = spawn("bash", ["-c", script], { env, stdio: ["ignore", "pipe", "pipe"] });
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text: string) => {
        texts[name] += text;
      });
    child.once("error", reject);
    child.once("close", (status, signal) =>
      done({ status, signal, ...texts, seconds: (performance.now() - begin) / 1000 }),
    );
  });
}
