// An esbuild plugin that bundles LMDB's JavaScript without the parts that Kiln does not use: a quarter of the loading time.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Plugin } from "esbuild";

const checkout = resolve(import.meta.dirname, "..");
const { optionalDependencies: versions } = JSON.parse(
  readFileSync(join(checkout, "package.json"), "utf8"),
) as { readonly optionalDependencies: { readonly lmdb: string } };

/** Kiln stores text, reads without a cache in between, and needs no search for a compiler. */
const replacements: Readonly<Record<string, string>> = {
  msgpackr: leftOut("Encoder"),
  "weak-lru-cache": leftOut("WeakLRUCache"),
  "node-gyp-build-optional-packages": `
    const prebuilt = \`@lmdb/lmdb-\${process.platform}-\${process.arch}\`;
    const files = [
      \`node.abi\${process.versions.modules}.glibc.node\`,
      "node.napi.glibc.node",
      "node.napi.musl.node",
    ];
    export default function load() {
      const found = loadPrebuilt(prebuilt, ${JSON.stringify(versions.lmdb)}, files);
      if (found) return found;
      const fromLmdb = createRequire(createRequire(import.meta.url).resolve("lmdb"));
      const candidates = [...files.map((name) => prebuilt + "/" + name), "./../build/Release/lmdb.node"];
      let failure;
      for (const candidate of candidates) {
        try {
          return fromLmdb(candidate);
        } catch (error) {
          failure ??= error;
        }
      }
      throw failure;
    }
  `,
};

/** `require` must exist in the bundle. The native module stays outside, in the package that npm installs with lmdb. */
export const leanLmdb: Plugin = {
  name: "lean-lmdb",
  setup(build) {
    const filter = new RegExp(`^(${Object.keys(replacements).join("|")})$`);
    build.onResolve({ filter }, ({ path, importer }) =>
      /[\\/]node_modules[\\/]lmdb[\\/]/.test(importer) ? { path, namespace: "lean-lmdb" } : null,
    );
    // It evaluates a text that names one of its own variables: only as CommonJS does the bundler leave those names alone.
    build.onResolve({ filter: /^ordered-binary$/ }, ({ resolveDir }) => ({
      path: createRequire(join(resolveDir, "lmdb.js")).resolve("ordered-binary"),
    }));
    build.onLoad({ filter: /.*/, namespace: "lean-lmdb" }, ({ path }) => ({
      contents: `import { createRequire } from "node:module";
        import { loadPrebuilt } from "./src/base/native-module.ts";
        ${replacements[path]}`,
      resolveDir: checkout,
      loader: "js",
    }));
  },
};

function leftOut(name: string): string {
  return `export class ${name} { constructor() { throw new Error("${name} is left out of the bundle"); } }`;
}
