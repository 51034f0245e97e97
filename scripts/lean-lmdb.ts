// An esbuild plugin that bundles LMDB's JavaScript without the parts that Kiln does not use: a quarter of the loading time.
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Plugin } from "esbuild";

/** Kiln stores text, reads without a cache in between, and needs no search for a compiler. */
const replacements: Readonly<Record<string, string>> = {
  msgpackr: leftOut("Encoder"),
  "weak-lru-cache": leftOut("WeakLRUCache"),
  "node-gyp-build-optional-packages": `
    const fromLmdb = createRequire(createRequire(import.meta.url).resolve("lmdb"));
    const prebuilt = \`@lmdb/lmdb-\${process.platform}-\${process.arch}/node\`;
    const candidates = [
      \`\${prebuilt}.abi\${process.versions.modules}.glibc.node\`,
      \`\${prebuilt}.napi.glibc.node\`,
      \`\${prebuilt}.napi.musl.node\`,
      "./../build/Release/lmdb.node",
    ];
    export default function load() {
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
      contents: `import { createRequire } from "node:module";\n${replacements[path]}`,
      loader: "js",
    }));
  },
};

function leftOut(name: string): string {
  return `export class ${name} { constructor() { throw new Error("${name} is left out of the bundle"); } }`;
}
