// Threads whose programs are files of their own.
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

/**
 * Starts the program `name`, which lies beside the module `beside` (its `import.meta.url`) in whatever form that is: as
 * source, compiled, or bundled (scripts/bundle.ts names all that are). The thread is the caller's to end. Nothing of how this
 * process was started holds for it.
 */
export function startThread(name: string, beside: string): Worker {
  const form = extname(new URL(beside).pathname);
  const program = new URL(`./${name}${form}`, beside);
  if (form !== ".ts") return new Worker(program, { execArgv: [], stdin: false });
  // Threads know nothing of what reads sources in the main one.
  const path = JSON.stringify(fileURLToPath(program));
  const code = `require(require.resolve("tsx/cjs", { paths: [${path}] })); require(${path});`;
  return new Worker(code, { eval: true, execArgv: [], stdin: false });
}
