// The context of an image with the test frontend: this machine's node with its libraries, and the program as one file.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";

const dockerfile = `FROM scratch
COPY rootfs/ /
LABEL moby.buildkit.frontend.network.none=true
ENTRYPOINT ["/node", "/frontend.cjs"]
`;

/** Writes it below `directory`, and answers its path. */
export async function frontendContext(directory: string): Promise<string> {
  const context = join(directory, "frontend");
  const root = join(context, "rootfs");
  for (const one of ["tmp", "etc", "proc", "dev", "sys"])
    mkdirSync(join(root, one), { recursive: true });
  copyFileSync(process.execPath, join(root, "node"));
  const libraries = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
  for (const [path] of libraries.matchAll(/\/\S+(?= \()/g)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    copyFileSync(path, join(root, path));
  }
  await build({
    entryPoints: [resolve(import.meta.dirname, "gateway-frontend.ts")],
    outfile: join(root, "frontend.cjs"),
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    logLevel: "silent",
    define: { "import.meta.url": '"file:///frontend.cjs"', "import.meta.dirname": '"/"' },
  });
  writeFileSync(join(context, "Dockerfile"), dockerfile);
  return context;
}
