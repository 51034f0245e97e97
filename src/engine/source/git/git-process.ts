// Running git so that neither the machine's configuration nor a hostile repository has a say in what it does.
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { type Call, isAbortError, KilnError } from "../../../base/index.ts";

export interface GitOptions {
  readonly cwd?: string;
  /** `-c name=value` settings, such as credentials; never shown. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** What is being done, for the error: `fetching https://…`. */
  readonly doing: string;
}

/** Most that is kept of what git prints. */
const outputLimit = 4 << 20;

/** Standard output of `git ARGS` as text. Throws `GIT_FAILED` with git's own last words. Aborting kills it. */
export async function git(
  args: readonly string[],
  options: GitOptions,
  call: Call,
): Promise<string> {
  return new TextDecoder().decode(await gitBytes(args, options, call));
}

/** The same, byte for byte: objects need not be UTF-8. */
export async function gitBytes(
  args: readonly string[],
  options: GitOptions,
  call: Call,
): Promise<Uint8Array> {
  call.signal.throwIfAborted();
  const child = spawn("git", args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...baseEnvironment(), ...settingsEnvironment(options.settings ?? {}), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    signal: call.signal,
    killSignal: "SIGKILL",
  });
  const out: Uint8Array[] = [];
  let size = 0;
  let errors = "";
  child.stdout.on("data", (chunk: Uint8Array) => {
    if (size < outputLimit) out.push(chunk);
    size += chunk.length;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-64 * 1024);
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).catch((cause: unknown) => {
    if (isAbortError(cause)) throw call.signal.reason;
    throw new KilnError("GIT_FAILED", `${options.doing}: git could not be started`, {
      cause,
      hint: "Install git.",
    });
  });
  if (status === 0) return Buffer.concat(out);
  throw new KilnError("GIT_FAILED", `${options.doing}: ${lastWords(errors)}`);
}

/** What git may know of this machine: where programs, proxies and trusted authorities are. */
const inherited = [
  "PATH",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "ALL_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "all_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "GIT_SSL_CAINFO",
];

function baseEnvironment(): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(inherited.map((name) => [name, process.env[name]])),
    HOME: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "http:https:ssh:git",
    LC_ALL: "C",
  };
}

/** Settings travel in the environment: the command line can be read by every process of the machine. */
function settingsEnvironment(settings: Readonly<Record<string, string>>): Record<string, string> {
  const all = {
    "core.hooksPath": "/dev/null",
    "advice.detachedHead": "false",
    "gc.auto": "0",
    // Logs would hold this machine's name and clock.
    "core.logAllRefUpdates": "false",
    ...settings,
  };
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(Object.keys(all).length) };
  for (const [index, [name, value]] of Object.entries(all).entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = name;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}

/** What git and ssh say after every failure of this kind, which would hide the line that tells which it was. */
const noise =
  /^(?:@|Please make sure you have the correct access rights|and the repository exists\.)/;

function lastWords(errors: string): string {
  const lines = errors.split("\n").filter((line) => line.trim() !== "" && !noise.test(line));
  return lines.slice(-3).join("; ") || "git failed without a word";
}
