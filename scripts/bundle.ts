// Builds what is shipped: `npm run build`. dist/kiln.cjs with its program for the command, dist/lib for users of the library.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { leanLmdb } from "./lean-lmdb.ts";
import { type Program, starter, writeCodeCache } from "./start-up.ts";

const checkout = resolve(import.meta.dirname, "..");

if (process.argv.includes("--help")) {
  process.stdout.write(
    "npm run build [-- --no-lib] [-- --out DIR]\n\nBundles the command into dist/ and compiles the library into dist/lib.\n",
  );
  process.exit(0);
}
const out = process.argv.indexOf("--out");
const dist = out === -1 ? join(checkout, "dist") : resolve(process.argv[out + 1] ?? "dist");

const options = {
  absWorkingDir: checkout,
  outdir: dist,
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20.19",
  // A script that V8 has compiled before cannot import; it can require.
  supported: { "dynamic-import": false },
  minifySyntax: true,
  // Then a character is a byte, and the file need not be decoded.
  charset: "ascii",
  legalComments: "none",
  logLevel: "warning",
} as const satisfies BuildOptions;

const program = await bundleCommand();
await bundleThreads();
await writeCodeCache(program).catch((error: unknown) => {
  process.stderr.write(`the command will start more slowly: ${String(error)}\n`);
});
if (!process.argv.includes("--no-lib") && existsSync(join(checkout, "src/index.ts")))
  buildLibrary();
process.stdout.write(
  `dist/kiln.cjs with ${sizeOf(program.script)} of program and ${sizeOf(program.cache)} of its code, compiled\n`,
);

/** One script with everything but native modules in it. What it does not need at the start it loads, but does not run. */
async function bundleCommand(): Promise<Program> {
  const { outputFiles } = await build({
    ...options,
    entryPoints: { kiln: "src/cli/main.ts" },
    define: { "import.meta.url": "__url" },
    external: ["koffi"],
    plugins: [leanLmdb],
    sourcemap: true,
    sourcesContent: false,
    write: false,
  });
  const [map, script] = [".map", ".js"].map((end) => {
    const found = outputFiles.find(({ path }) => path.endsWith(end));
    if (!found) throw new Error(`the bundler wrote no ${end}`);
    return found.text;
  }) as [string, string];
  mkdirSync(dist, { recursive: true });
  for (const name of readdirSync(dist)) {
    if (/^(kiln|part|program)\b.*\.(mjs|cjs|map|cache)$/.test(name)) rmSync(join(dist, name));
  }
  // V8 tells sources apart by their length only: the name says which code belongs to which source.
  const name = `program-${createHash("sha256").update(script).digest("hex").slice(0, 12)}`;
  const written = { dist, script: `${name}.cjs`, cache: `${name}.cache` };
  const linked = script.replace(
    /\/\/# sourceMappingURL=.*\n?$/,
    `//# sourceMappingURL=${name}.cjs.map\n`,
  );
  writeFileSync(join(dist, `${name}.cjs.map`), map);
  writeFileSync(join(dist, written.script), linked);
  writeFileSync(join(dist, "kiln.cjs"), starter(written));
  return written;
}

/** Programs of threads, which the command looks for beside its own under the names of their sources. */
async function bundleThreads(): Promise<void> {
  await build({
    ...options,
    entryPoints: { "deflate-thread": "src/formats/archive/deflate-thread.ts" },
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
