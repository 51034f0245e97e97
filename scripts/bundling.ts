// How sources become the scripts that are shipped.
import { resolve } from "node:path";
import type { BuildOptions } from "esbuild";

export const checkout: string = resolve(import.meta.dirname, "..");

/** What esbuild is told for all programs; who builds says what and whereto. */
export const bundling: BuildOptions & { readonly absWorkingDir: string } = {
  absWorkingDir: checkout,
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20.19",
  // A script that V8 has compiled before cannot import; it can require.
  supported: { "dynamic-import": false },
  define: { "import.meta.url": "__url" },
  // V8 reads the file at every start: without its blanks that is a quarter less. Names stay, for stacks; short lines, as Node
  // prints the one that threw.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 160,
  // Then a character is a byte, and the file need not be decoded.
  charset: "ascii",
  legalComments: "none",
  logLevel: "warning",
};
