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

export class OutlineRecord implements OutlineNotes {
  /** Arguments that stages use, whether declared in them or before the first FROM. */
  readonly usedArgs: Set<string> = new Set();
  readonly args: Map<string, OutlineArg> = new Map();
  readonly secrets: Map<string, OutlineNeed> = new Map();
  readonly agents: Map<string, OutlineNeed> = new Map();

  arg(...[name, { doc, value, lines, inherited }]: Parameters<OutlineNotes["arg"]>): void {
    this.usedArgs.add(name);
    if (!inherited) this.args.set(name, { name, doc, value, lines });
  }

  secret(...[id, need]: Parameters<OutlineNotes["secret"]>): void {
    if (!this.secrets.has(id)) this.secrets.set(id, { id, ...need });
  }

  ssh(...[id, need]: Parameters<OutlineNotes["ssh"]>): void {
    if (!this.agents.has(id)) this.agents.set(id, { id, ...need });
  }
}
