// Builds what is shipped: `npm run build`. dist/kiln.mjs with its parts for the command, dist/lib for users of the library.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { leanLmdb } from "./lean-lmdb.ts";

const checkout = resolve(import.meta.dirname, "..");
const dist = join(checkout, "dist");

if (process.argv.includes("--help")) {
  process.stdout.write(
    "npm run build [-- --no-lib]\n\nBundles the command into dist/ and compiles the library into dist/lib.\n",
  );
  process.exit(0);
}

await bundleCommand();
if (!process.argv.includes("--no-lib") && existsSync(join(checkout, "src/index.ts")))
  buildLibrary();
process.stdout.write(
  `dist/kiln.mjs ${sizeOf(/^kiln\.mjs$/)} and ${sizeOf(/^part-.*\.mjs$/)} in parts loaded on demand\n`,
);

/** One file for the start, one for each part that is imported on demand. Native modules stay outside. */
async function bundleCommand(): Promise<void> {
  for (const name of existsSync(dist) ? readdirSync(dist) : []) {
    if (/\.mjs(\.map)?$/.test(name)) rmSync(join(dist, name));
  }
  await build({
    absWorkingDir: checkout,
    entryPoints: { kiln: "src/cli/main.ts" },
    outdir: dist,
    outExtension: { ".js": ".mjs" },
    chunkNames: "part-[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    external: ["koffi"],
    plugins: [leanLmdb],
    sourcemap: true,
    sourcesContent: false,
    minifySyntax: true,
    legalComments: "none",
    logLevel: "warning",
    // Packages that still call require() find one.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
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

function sizeOf(pattern: RegExp): string {
  const names = readdirSync(dist).filter((name) => pattern.test(name));
  const bytes = names.reduce((sum, name) => sum + statSync(join(dist, name)).size, 0);
  return `${(bytes / 1000).toFixed(0)} kB`;
}
