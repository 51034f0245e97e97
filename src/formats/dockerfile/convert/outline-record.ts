// What a stage's instructions tell for an outline: arguments, secrets, agents.
import type { LineRange } from "../ast.ts";
import type { OutlineNotes } from "./environment.ts";

export interface OutlineArg {
  readonly name: string;
  readonly doc: string;
  readonly value: string | undefined;
  readonly lines: LineRange;
}

export interface OutlineNeed {
  readonly id: string;
  readonly required: boolean;
  readonly lines: LineRange;
}

/** Shared by all stages, of which most need neither. */
const none: ReadonlyMap<string, OutlineNeed> = new Map();

export class OutlineRecord implements OutlineNotes {
  /** Arguments that stages use, whether declared in them or before the first FROM. */
  readonly usedArgs: Set<string> = new Set();
  readonly args: Map<string, OutlineArg> = new Map();
  #secrets: Map<string, OutlineNeed> | undefined;
  #agents: Map<string, OutlineNeed> | undefined;

  get secrets(): ReadonlyMap<string, OutlineNeed> {
    return this.#secrets ?? none;
  }

  get agents(): ReadonlyMap<string, OutlineNeed> {
    return this.#agents ?? none;
  }

  arg(...[name, { doc, value, lines, inherited }]: Parameters<OutlineNotes["arg"]>): void {
    this.usedArgs.add(name);
    if (!inherited) this.args.set(name, { name, doc, value, lines });
  }

  secret(...[id, need]: Parameters<OutlineNotes["secret"]>): void {
    this.#secrets ??= new Map();
    if (!this.#secrets.has(id)) this.#secrets.set(id, { id, ...need });
  }

  ssh(...[id, need]: Parameters<OutlineNotes["ssh"]>): void {
    this.#agents ??= new Map();
    if (!this.#agents.has(id)) this.#agents.set(id, { id, ...need });
  }
}
