// Where a build is started from, as buildx notes it beside the builder.
import { resolve } from "node:path";
import type { BuildOrigin } from "../../../remote/store/index.ts";

/** `context` and `file` as they were given on the command line; an empty file is the usual one. */
export function originOfBuild(context: string, file: string, cwd: string): BuildOrigin {
  const isRemote = /^(https?|git|ssh):\/\/|^git@|^github\.com\//.test(context);
  const localPath = isRemote || context === "-" ? context : resolve(cwd, context);
  const asGiven = file === "" || file === "-" || isRemote || /^https?:\/\//.test(file);
  return {
    target: "default",
    localPath,
    dockerfilePath: asGiven ? file : resolve(cwd, file),
  };
}
