// The stages of a file as a graph: what stands on what, what reads from what, and what the target needs.
import type { KilnError } from "../../../base/index.ts";
import type { Platform } from "../../oci/index.ts";
import type { LineRange } from "../ast.ts";
import { csvFields } from "../instructions/csv.ts";
import type { StageInstruction } from "../instructions/index.ts";
import type { Stage as WrittenStage } from "../stages.ts";
import { UsedPaths } from "./build-context.ts";
import type { NamedContext } from "./named-context.ts";
import { OutlineRecord } from "./outline-record.ts";
import { dockerfileError, suggesting } from "./problem.ts";
import type { Stage, StageStart } from "./stage.ts";

/** One instruction of a stage with the stages that it reads from. */
export interface PlannedInstruction {
  readonly instruction: StageInstruction;
  /** By mount or `--from`. */
  readonly sources: readonly PlannedStage[];
  /** It comes from the base image. */
  readonly onBuild: boolean;
}

/** One stage, or an image that an instruction reads from. Filled in while the conversion goes on. */
export class PlannedStage {
  readonly baseName: string;
  /** In lower case; empty where the stage has none, and for images. */
  readonly name: string;
  /** In names of steps: `stage-2` for a stage without a name. */
  shownName: string;
  readonly lines: LineRange;
  /** An image that a mount reads from: the reference's source map has no lines for it. */
  readonly isMounted: boolean;
  /** The FROM as written; undefined for an image that is only read from. */
  readonly from: WrittenStage | undefined;
  /** As FROM asks for it. */
  readonly platform: Platform | undefined;
  base: PlannedStage | undefined;
  instructions: PlannedInstruction[] = [];
  /** Stages it reads from, with the place of the last instruction that does. */
  readonly reads: Map<PlannedStage, LineRange> = new Map();
  used: UsedPaths = new UsedPaths();
  ignoreCache = false;
  /** How many steps it has, for their names. */
  steps = 0;
  /** How often it was passed over before a trigger showed that it is needed: the reference counts these as steps. */
  passedOver = 0;
  namedContext: NamedContext | undefined;
  /** The base's triggers were added. */
  triggered = false;
  /** What a stage on an image begins with, once looked up. */
  start: StageStart | undefined;
  /** What it ends as, once converted. */
  end: Stage | undefined;
  readonly outline: OutlineRecord = new OutlineRecord();

  constructor(facts: {
    readonly baseName: string;
    readonly name: string;
    readonly shownName: string;
    readonly lines: LineRange;
    readonly isMounted?: boolean;
    readonly from?: WrittenStage;
    readonly platform?: Platform | undefined;
  }) {
    this.baseName = facts.baseName;
    this.name = facts.name;
    this.shownName = facts.shownName;
    this.lines = facts.lines;
    this.isMounted = facts.isMounted ?? false;
    this.from = facts.from;
    this.platform = facts.platform;
  }
}

/** All stages of a file, in its order; images that are read from come last. */
export class StagePlan {
  readonly stages: PlannedStage[] = [];
  readonly #byName = new Map<string, PlannedStage>();
  #nothing: PlannedStage | undefined;

  /** Adds a stage; it stands on an earlier stage if that has the name of its base. */
  add(stage: PlannedStage): void {
    this.stages.push(stage);
    const base = this.#byName.get(stage.baseName);
    if (base !== undefined && stage.namedContext === undefined) {
      stage.base = base;
      stage.used = base.used;
    }
    if (stage.name !== "") this.#byName.set(stage.name, stage);
  }

  find(name: string): PlannedStage | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  names(): readonly string[] {
    return this.stages.map(({ shownName }) => shownName).filter((name) => name !== "");
  }

  /** The stage to build: by name, by number, or the last one. */
  target(wanted: string | undefined): PlannedStage {
    const named = this.stages.filter(({ from }) => from !== undefined);
    const last = named.at(-1);
    if (last === undefined) throw dockerfileError("dockerfile contains no stages to build");
    if (wanted === undefined || wanted === "") return last;
    const found =
      this.find(wanted) ?? (/^[0-9]+$/.test(wanted) ? named[Number(wanted)] : undefined);
    if (found !== undefined) return found;
    throw suggesting(`target stage "${wanted}" could not be found`, wanted, this.names());
  }

  /** Plans an instruction: finds the stages that it reads from, or adds the images. */
  plan(stage: PlannedStage, instruction: StageInstruction, onBuild: boolean): PlannedInstruction {
    const names = sourceNames(instruction);
    const sources =
      names.length === 0 ? none : names.map((name) => this.#source(name, instruction));
    for (const source of sources) stage.reads.set(source, instruction.lines);
    return { instruction, sources, onBuild };
  }

  #source(name: string, instruction: StageInstruction): PlannedStage {
    const index =
      instruction.kind === "copy" && /^[+-]?[0-9]+$/.test(name) ? Number(name) : undefined;
    const found = index === undefined ? this.find(name) : this.stages[index];
    if (found !== undefined) return found;
    if (index !== undefined) throw dockerfileError(`invalid stage index ${index}`);
    // Nothing is the same nothing for all that read it; every mount without a source does.
    if (name === "scratch" && this.#nothing !== undefined) return this.#nothing;
    const image = new PlannedStage({
      baseName: name,
      name: "",
      shownName: "",
      lines: instruction.lines,
      isMounted: instruction.kind === "run",
    });
    if (name === "scratch") this.#nothing = image;
    this.add(image);
    return image;
  }
}

const none: readonly never[] = [];

/** The target and all that it needs. */
export function reachableStages(target: PlannedStage): ReadonlySet<PlannedStage> {
  const found = new Set<PlannedStage>();
  const open = [target];
  for (let stage = open.pop(); stage !== undefined; stage = open.pop()) {
    if (found.has(stage)) continue;
    found.add(stage);
    if (stage.base !== undefined) open.push(stage.base);
    open.push(...stage.reads.keys());
  }
  return found;
}

/** A circle among stages: the places that make it, in order, and the stage where it was met. */
export interface StageCircle {
  readonly error: KilnError;
  readonly places: readonly LineRange[];
}

/** Finds a stage that reads, over others, from itself. */
export function findCircle(stages: readonly PlannedStage[]): StageCircle | undefined {
  const visited = new Set<PlannedStage>();
  for (const stage of stages) {
    const places = circleFrom(stage, visited);
    if (places !== undefined) {
      const error = dockerfileError(
        `circular dependency detected on stage: ${stage.shownName}`,
        "Let no stage read from one that reads from it.",
      );
      return { error, places };
    }
  }
  return undefined;
}

/** Walks depth first without recursion: a chain of stages may be longer than the stack is deep. */
function circleFrom(
  root: PlannedStage,
  visited: Set<PlannedStage>,
): readonly LineRange[] | undefined {
  if (visited.has(root)) return undefined;
  const path = [{ stage: root, reads: [...root.reads], next: 0 }];
  const onPath = new Set([root]);
  visited.add(root);
  for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
    const read = at.reads[at.next++];
    if (read === undefined) {
      onPath.delete(at.stage);
      path.pop();
      continue;
    }
    const [stage] = read;
    if (onPath.has(stage)) return path.map(({ reads, next }) => reads[next - 1]?.[1] ?? root.lines);
    if (visited.has(stage)) continue;
    visited.add(stage);
    onPath.add(stage);
    path.push({ stage, reads: [...stage.reads], next: 0 });
  }
  return undefined;
}

/** What `--from` or each mount's `from` names; a mount without one has a source all the same, as in the reference. */
function sourceNames(instruction: StageInstruction): readonly string[] {
  if (instruction.kind === "copy") return instruction.from === "" ? none : [instruction.from];
  if (instruction.kind !== "run") return none;
  return instruction.mounts.map((mount) => {
    if (!/from=/i.test(mount)) return "scratch";
    const fields = csvFields(mount) ?? [];
    const from = fields.findLast((field) => /^from=/i.test(field));
    // The type may be a variable still: which mounts have no source is not known yet.
    return from?.slice("from=".length) || "scratch";
  });
}
