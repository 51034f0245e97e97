// Arguments that stand before the first FROM.
import type { ArgInstruction } from "../instructions/index.ts";
import { type ArgValues, setVariable } from "./env.ts";
import type { Expander } from "./expand.ts";
import { type ErrorFile, placed } from "./problem.ts";

/** One of them, as an outline tells of it. */
export interface GlobalArg {
  readonly name: string;
  readonly doc: string;
  readonly value: string | undefined;
  readonly lines: ArgInstruction["lines"];
  /** Other arguments that its default is made of. */
  readonly needs: ReadonlySet<string>;
}

export interface GlobalArgs {
  readonly variables: ArgValues;
  readonly declared: ReadonlyMap<string, GlobalArg>;
}

/** The predefined variables with the declared ones; what the caller gives goes before defaults. */
export function readGlobalArgs(
  instructions: readonly ArgInstruction[],
  predefined: ArgValues,
  buildArgs: Readonly<Record<string, string>>,
  expander: Expander,
  file: ErrorFile,
): GlobalArgs {
  let variables = predefined;
  const declared = new Map<string, GlobalArg>();
  for (const instruction of instructions) {
    for (const { name, doc, value } of instruction.args) {
      const needs = new Set<string>();
      let given = Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined;
      if (given === undefined && value !== undefined) {
        const expansion = expandPlaced(value, variables, instruction, expander, file);
        given = expansion.word;
        for (const matched of expansion.matched) {
          const inherited = matched === name ? (declared.get(name)?.needs ?? []) : [matched];
          for (const need of inherited) needs.add(need);
        }
      }
      if (given !== undefined) variables = setVariable(variables, name, given);
      declared.set(name, { name, doc, value: given, lines: instruction.lines, needs });
    }
  }
  return { variables, declared };
}

function expandPlaced(
  value: string,
  variables: ArgValues,
  { lines }: ArgInstruction,
  expander: Expander,
  file: ErrorFile,
): ReturnType<Expander["expand"]> {
  try {
    return expander.expand(value, variables);
  } catch (error) {
    throw placed(error, lines, file);
  }
}
