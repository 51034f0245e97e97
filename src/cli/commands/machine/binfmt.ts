// kiln binfmt: emulators registered with the kernel, for all of the machine's containers; tonistiigi/binfmt's surface.
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { isKilnError, KilnError } from "../../../base/index.ts";
import {
  binfmtDirectory,
  type Emulator,
  emulatorVersion,
  findEmulators,
  hostHandlerEmulations,
  installHandler,
  mountHandlerTable,
  namedHandlers,
  nativeEmulation,
  processors,
  readHandlerTable,
  readMachine,
  removeHandler,
} from "../../../engine/executor/index.ts";
import { formatPlatform, hostPlatform, parsePlatform } from "../../../formats/oci/index.ts";
import { type Command, defineCommand, type RunWorld } from "../command.ts";
import { kilnVersion } from "../version.ts";

export const binfmt: Command = defineCommand({
  spec: {
    path: ["binfmt"],
    args: { min: 0, max: 0 },
    summary: "Register emulators with the kernel",
    about:
      "Builds need nothing of this where 'kiln doctor' says that private handlers are possible. It is for those who want every container of the machine to run programs of other processors. Without flags, prints what is supported and registered as JSON. Doing something twice is no error; the exit code is 1 when anything failed.",
    examples: [
      { what: "Register every emulator that is installed", run: "sudo kiln binfmt --install all" },
      { what: "Register two", run: "sudo kiln binfmt --install arm64,riscv64" },
      { what: "Take all out again", run: "sudo kiln binfmt --uninstall 'qemu-*'" },
    ],
    flags: {
      install: { type: "stringSlice", value: "all|arch", usage: "Architectures to install" },
      mount: {
        type: "string",
        value: "dir",
        default: binfmtDirectory,
        usage: "Where binfmt_misc is mounted, or is to be mounted",
      },
      supported: { type: "bool", usage: "Print the platforms whose programs run, one a line" },
      uninstall: {
        type: "stringSlice",
        value: "name|arch",
        usage: "Handlers to remove (qemu-aarch64, arm64, 'qemu-*')",
      },
      version: { type: "bool", usage: "Print the versions of Kiln and of the emulators" },
    },
  },
  async run({ values }, _args, world) {
    if (values.version) return sayVersions(world);
    const { install, uninstall, mount: directory } = values;
    const failures: KilnError[] = [];
    const attempt = (what: string, work: () => string) => {
      try {
        world.stderr.write(`${what} ${work()}\n`);
      } catch (error) {
        if (!isKilnError(error)) throw error;
        failures.push(error);
      }
    };
    if (install.length + uninstall.length > 0) mountHandlerTable(directory);
    for (const word of uninstall) uninstallWord(word, directory, attempt);
    for (const one of emulatorsOf(install, world)) {
      attempt(`installing: ${one.architecture}`, () =>
        installHandler(directory, one) === "kept" ? "OK (already registered)" : "OK",
      );
    }
    say(values.supported, directory, world);
    const [first, ...others] = failures;
    if (!first) return 0;
    const { code, message, hint, cause } = first;
    throw new KilnError(code, message, { cause, others, ...(hint === undefined ? {} : { hint }) });
  },
});

function uninstallWord(
  word: string,
  directory: string,
  attempt: (what: string, work: () => string) => void,
): void {
  const named = namedHandlers(readHandlerTable(directory).handlers, word);
  if (named.length === 0) attempt(`uninstalling: ${word}`, () => "not found");
  for (const { name } of named) {
    attempt(`uninstalling: ${name}`, () => {
      removeHandler(directory, name);
      return "OK";
    });
  }
}

/** The installed emulators that the words ask for. Throws `EMULATOR_MISSING` or `FLAG_INVALID` before anything is done. */
function emulatorsOf(words: readonly string[], { env }: RunWorld): readonly Emulator[] {
  if (words.length === 0) return [];
  const host = hostPlatform(process.arch);
  // A handler for what the processor runs itself would only make it slow.
  const native = nativeArchitectures();
  const found = installed(env).filter(({ architecture }) => !native.has(architecture));
  if (words.includes("all")) {
    if (found.length > 0) return found;
    throw missing("no emulator is installed");
  }
  return words.map((word) => {
    const { architecture } = parsePlatform(word.includes("/") ? word : `linux/${word}`, host);
    const emulator = found.find((one) => one.architecture === architecture);
    if (emulator) return emulator;
    if (native.has(architecture))
      throw new KilnError("FLAG_INVALID", `this machine runs ${word} programs itself`);
    if (processors[architecture]) throw missing(`no emulator for ${word} is installed`);
    throw new KilnError("FLAG_INVALID", `unknown architecture ${JSON.stringify(word)}`, {
      hint: `Known: ${Object.keys(processors).join(", ")}.`,
    });
  });
}

function nativeArchitectures(): ReadonlySet<string> {
  const { platforms } = nativeEmulation(readMachine(tmpdir()));
  return new Set(platforms.map(({ architecture }) => architecture));
}

function missing(message: string): KilnError {
  return new KilnError("EMULATOR_MISSING", message, {
    hint: "Install them, as root: apt-get install qemu-user-static; or say where they are with QEMU_BINARY_PATH.",
  });
}

/** QEMU_BINARY_PATH and QEMU_BINARY_PREFIX as tonistiigi/binfmt has them; then where distributions put emulators. */
function installed(env: RunWorld["env"]): readonly Emulator[] {
  const directory = env["QEMU_BINARY_PATH"] || "/usr/bin";
  const prefix = env["QEMU_BINARY_PREFIX"] || "";
  const prefixed = Object.entries(processors).map(
    ([architecture, { qemu }]) => `${architecture}=${directory}/${prefix}qemu-${qemu}`,
  );
  return findEmulators(
    [...(prefix ? prefixed : []), directory, "/usr/bin", "/usr/local/bin"].join(":"),
  );
}

function say(platformsOnly: boolean, directory: string, { stdout }: RunWorld): void {
  const table = readHandlerTable(directory);
  const native = nativeEmulation(readMachine(tmpdir()));
  const ways = [native, ...hostHandlerEmulations(table, nativeArchitectures())];
  const supported = ways.flatMap(({ platforms }) => platforms.map(formatPlatform));
  if (platformsOnly) {
    stdout.write(supported.map((name) => `${name}\n`).join(""));
    return;
  }
  const emulators = table.mounted
    ? readdirSync(directory).filter((name) => name !== "register" && name !== "status")
    : [];
  stdout.write(`${JSON.stringify({ supported, emulators }, undefined, 2)}\n`);
}

async function sayVersions({ env, stdout, call }: RunWorld): Promise<number> {
  const [first] = installed(env);
  const handler = first && { name: "", interpreter: first.path };
  const version = handler && (await emulatorVersion(handler, call)).split(" ")[1];
  stdout.write(`kiln/${kilnVersion} qemu/${version ?? "none"} node/${process.version.slice(1)}\n`);
  return 0;
}
