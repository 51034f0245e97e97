// Builds what is shipped: `npm run build`. dist/kiln.cjs with its program for the command, dist/lib for users of the library.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { bundling, checkout } from "./bundling.ts";
import { leanLmdb } from "./lean-lmdb.ts";
import { type BundledScript, splitProgram } from "./split-program.ts";
import { type ProgramFile, starter, writeCodeCache } from "./start-up.ts";

if (process.argv.includes("--help")) {
  process.stdout.write(
    "npm run build [-- --no-lib] [-- --out DIR]\n\nBundles the command into dist/ and compiles the library into dist/lib.\n",
  );
  process.exit(0);
}
const out = process.argv.indexOf("--out");
const dist = out === -1 ? join(checkout, "dist") : resolve(process.argv[out + 1] ?? "dist");

const options = { ...bundling, outdir: dist } satisfies BuildOptions;

mkdirSync(dist, { recursive: true });
const program = await bundleCommand();
await bundleThreads();
await writeCodeCache(dist).catch((error: unknown) => {
  process.stderr.write(`the command will start more slowly: ${String(error)}\n`);
});
if (!process.argv.includes("--no-lib") && existsSync(join(checkout, "src/index.ts")))
  buildLibrary();
const [first, rest] = program.map(
  ({ script, cache }) => `${sizeOf(script)} (${sizeOf(cache)} compiled)`,
);
process.stdout.write(`dist/kiln.cjs with ${first} for builds and ${rest} for the rest\n`);

/** Everything but native modules. What is not needed at the start is loaded, but does not run. */
async function bundleCommand(): Promise<readonly ProgramFile[]> {
  const settings = {
    ...options,
    external: ["koffi"],
    plugins: [leanLmdb],
  };
  const [first, rest] = await splitProgram(settings, "src/cli/main.ts");
  for (const name of readdirSync(dist)) {
    if (/^(kiln|part|program)\b.*\.(mjs|cjs|map|cache)$/.test(name)) rmSync(join(dist, name));
  }
  const files = [writeScript(first), writeScript(rest)] as const;
  writeFileSync(join(dist, "kiln.cjs"), starter(files));
  return files;
}

function writeScript({ code, map }: BundledScript): ProgramFile {
  // V8 tells sources apart by their length only: the name says which code belongs to which source.
  const name = `program-${createHash("sha256").update(code).digest("hex").slice(0, 12)}`;
  const link = `//# sourceMappingURL=${name}.cjs.map\n`;
  writeFileSync(join(dist, `${name}.cjs`), code.replace(/\/\/# sourceMappingURL=.*\n?$/, link));
  writeFileSync(join(dist, `${name}.cjs.map`), map);
  return { script: `${name}.cjs`, cache: `${name}.cache` };
}

/** Programs of threads, which the command looks for beside its own under the names of their sources. */
async function bundleThreads(): Promise<void> {
  await build({
    ...options,
    entryPoints: {
      "deflate-thread": "src/formats/archive/deflate-thread.ts",
      "namespace-thread": "src/engine/executor/network/namespace-thread.ts",
    },
    external: ["koffi"],
    banner: { js: 'const __url = require("node:url").pathToFileURL(__filename).href;' },
    outExtension: { ".js": ".cjs" },
  });
}

/** The library's own modules with their types; tests stay out. */
function buildLibrary(): void {
  rmSync(join(dist, "lib"), { recursive: true, force: true });
  execFileSync("npx", ["tsc", "--project", "tsconfig.build.json"], {
    cwd: checkout,
    stdio: "inherit",
  });
}

function sizeOf(name: string): string {
  const { size } = statSync(join(dist, name), { throwIfNoEntry: false }) ?? { size: 0 };
  return `${(size / 1000).toFixed(0)} kB`;
}
