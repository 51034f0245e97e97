// The step that tells which files define a bake, as docker buildx shows it before all others.
import { digestOf } from "../../../base/index.ts";
import type { Display } from "../../progress/index.ts";

const title = "[internal] load local bake definitions";

/** A file and its size in bytes; what could not be read has none. */
export interface ToldFile {
  readonly name: string;
  readonly size?: number;
}

/** Shows it as done; `named` says that a variable named the files. */
export function tellDefinitions(
  display: Display,
  { files, named }: { readonly files: readonly ToldFile[]; readonly named: boolean },
  at: Date,
): void {
  const name = named ? `${title} from BUILDX_BAKE_FILE env` : title;
  const step = digestOf(name);
  display.event({ type: "step", step, name, at, state: "started" });
  for (const { name: file, size = 0 } of files)
    display.event({
      type: "progress",
      step,
      id: file === "-" ? "reading from stdin" : `reading ${file}`,
      at,
      current: size,
      ...(size > 0 && file !== "-" ? { total: size } : {}),
      done: true,
    });
  display.event({ type: "step", step, name, at, state: "done" });
}
