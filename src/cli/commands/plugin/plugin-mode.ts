// Being called by docker: its global flags before the plugin's name, and its way of saying that the user has given up.
import { readFileSync } from "node:fs";
import { connect } from "node:net";

type Environment = Readonly<Record<string, string | undefined>>;

/** What docker's words mean to Kiln. */
export interface PluginStart {
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Docker has called, not a user by the plugin's name. */
  readonly byDocker: boolean;
}

/** Docker's global flags that take a value, and the variables that say the same. */
const valueFlags: Readonly<Record<string, string | undefined>> = {
  "--config": "DOCKER_CONFIG",
  "--context": "DOCKER_CONTEXT",
  "-c": "DOCKER_CONTEXT",
  "--host": "DOCKER_HOST",
  "-H": "DOCKER_HOST",
  "--log-level": undefined,
  "-l": undefined,
  "--tlscacert": undefined,
  "--tlscert": undefined,
  "--tlskey": undefined,
};

/**
 * Takes docker's own words off the front: `docker --context x buildx ls` starts `docker-buildx --context x buildx ls`.
 * Without a plugin's name nothing changes.
 */
export function readPluginStart(argv: readonly string[], env: Environment): PluginStart {
  const name = env["KILN_PLUGIN"];
  if (!name) return { argv, env, byDocker: false };
  const said: Record<string, string | undefined> = {};
  const kept: string[] = [];
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (!word.startsWith("-")) break;
    const [flag = "", inline] = splitOnce(word);
    if (Object.hasOwn(valueFlags, flag)) {
      const value = inline ?? argv[++at] ?? "";
      const variable = valueFlags[flag];
      if (variable !== undefined) said[variable] = value;
      // A context that was named wins over the host of the environment.
      if (variable === "DOCKER_CONTEXT" && value !== "default") said["DOCKER_HOST"] = undefined;
    } else if (flag === "--tlsverify")
      said["DOCKER_TLS_VERIFY"] = inline === "false" ? undefined : "1";
    else if (flag === "--tls") said["DOCKER_TLS"] = "1";
    else kept.push(word);
  }
  const rest = argv.slice(at);
  const byDocker = rest[0] === name;
  const own = byDocker ? rest.slice(1) : rest;
  return { argv: [...kept, ...own], env: { ...env, ...said }, byDocker };
}

function splitOnce(word: string): readonly [string, string | undefined] {
  const at = word.indexOf("=");
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

/** How often docker's socket is looked for, in milliseconds. */
const watchInterval = 200;

/**
 * Docker offers a socket for as long as its user wants the answer. `gone` is called once when it has closed it. Does not
 * keep the process; a socket that is not there is none.
 */
export function watchPluginSocket(env: Environment, gone: () => void): void {
  const address = env["DOCKER_CLI_PLUGIN_SOCKET"];
  if (!address) return;
  if (address.startsWith("@")) watchAbstract(address, gone);
  else watchConnection(address, gone);
}

function watchConnection(path: string, gone: () => void): void {
  const socket = connect({ path });
  let connected = false;
  socket.on("connect", () => {
    connected = true;
    socket.unref();
  });
  socket.on("error", () => socket.destroy());
  // Only an end that follows a beginning says anything.
  socket.on("close", () => {
    if (connected) gone();
  });
  socket.resume();
}

/** Node 20 cannot connect to names of Linux's abstract namespace: the kernel's list says whether docker still listens. */
function watchAbstract(name: string, gone: () => void): void {
  if (!listens(name)) return;
  const timer = setInterval(() => {
    if (listens(name)) return;
    clearInterval(timer);
    gone();
  }, watchInterval);
  timer.unref();
}

function listens(name: string): boolean {
  try {
    return readFileSync("/proc/net/unix", "latin1").includes(` ${name}\n`);
  } catch {
    return false;
  }
}
