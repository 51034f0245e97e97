// The step that tells which files define a bake, as docker buildx shows it before all others.
import { digestOf } from "../../../base/index.ts";
import type { Display } from "../../progress/index.ts";

const name = "[internal] load local bake definitions";
const step = digestOf(name);

/** A file and its size in bytes; what could not be read has none. */
export interface ToldFile {
  readonly name: string;
  readonly size?: number;
}

/** Shows it as done. */
export function tellDefinitions(display: Display, files: readonly ToldFile[], at: Date): void {
  display.event({ type: "step", step, name, at, state: "started" });
  for (const { name: file, size = 0 } of files)
    display.event({
      type: "progress",
      step,
      id: `reading ${file}`,
      at,
      current: size,
      ...(size > 0 ? { total: size } : {}),
      done: true,
    });
  display.event({ type: "step", step, name, at, state: "done" });
}
