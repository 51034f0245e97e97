// A parsed template: what parse.ts makes and execute.ts walks.

/** A value that is written out in the template, or found by following names from somewhere. */
export type Operand =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "dot"; readonly path: readonly string[] }
  | { readonly kind: "variable"; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: "function"; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: "group"; readonly pipe: Pipe; readonly path: readonly string[] };

/** `a | b | c`, its commands in order; each is its operands. With `$x :=` or `$x =` before it. */
export interface Pipe {
  readonly variables: readonly string[];
  readonly declares: boolean;
  readonly commands: readonly (readonly Operand[])[];
}

export type Block = readonly Node[];

/** A block that runs or not, or several times. */
export interface Control<K extends string> {
  readonly kind: K;
  readonly pipe: Pipe;
  readonly body: Block;
  readonly otherwise: Block;
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipe: Pipe }
  | Control<"if">
  | Control<"with">
  | Control<"range">
  | { readonly kind: "template"; readonly name: string; readonly pipe: Pipe | undefined }
  | { readonly kind: "break" | "continue" };

/** The template, and those that it defines by `define` and `block`. */
export interface Tree {
  readonly main: Block;
  readonly defined: ReadonlyMap<string, Block>;
}
