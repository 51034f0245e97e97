// What a file says before it is evaluated: bodies of attributes and blocks, and expressions.
import type { Range } from "./source.ts";
import type { Value } from "./value.ts";

/** `name = expression`. */
export interface Attribute {
  readonly name: string;
  readonly nameRange: Range;
  readonly range: Range;
  readonly expression: Expression;
}

/** `type "label" { … }`. */
export interface Block {
  readonly type: string;
  readonly labels: readonly { readonly text: string; readonly range: Range }[];
  /** Of the head: type and labels. */
  readonly range: Range;
  readonly body: Body;
}

/** Attributes in the order in which they stand; a name stands once. */
export interface Body {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly Block[];
  readonly range: Range;
}

interface Ranged {
  readonly range: Range;
}

/** One member of an object; a bare word as key is a literal. */
export interface ObjectItem {
  readonly key: Expression;
  readonly value: Expression;
}

/** `for` in brackets; with `key` it makes an object. */
export interface ForExpression extends Ranged {
  readonly kind: "for";
  readonly keyName: string | undefined;
  readonly valueName: string;
  readonly collection: Expression;
  readonly key: Expression | undefined;
  readonly value: Expression;
  readonly condition: Expression | undefined;
  readonly grouped: boolean;
}

export type BinaryOperator =
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "&&"
  | "||";

export type Expression =
  | (Ranged & { readonly kind: "literal"; readonly value: Value })
  /** Parts joined as text; `wrapped` is a lone `${…}`, whose value stays what it is. */
  | (Ranged & {
      readonly kind: "template";
      readonly parts: readonly Expression[];
      readonly wrapped: boolean;
    })
  | (Ranged & {
      readonly kind: "templateFor";
      readonly keyName: string | undefined;
      readonly valueName: string;
      readonly collection: Expression;
      readonly body: Expression;
    })
  | (Ranged & { readonly kind: "variable"; readonly name: string })
  | (Ranged & { readonly kind: "attribute"; readonly object: Expression; readonly name: string })
  | (Ranged & { readonly kind: "index"; readonly object: Expression; readonly key: Expression })
  /** `each` is evaluated for every element, which is its `element`. */
  | (Ranged & { readonly kind: "splat"; readonly source: Expression; readonly each: Expression })
  | (Ranged & { readonly kind: "element" })
  | (Ranged & {
      readonly kind: "call";
      readonly name: string;
      readonly nameRange: Range;
      readonly args: readonly Expression[];
      /** The last argument is a list of arguments. */
      readonly expand: boolean;
    })
  | (Ranged & {
      readonly kind: "conditional";
      readonly condition: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    })
  | (Ranged & {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    })
  | (Ranged & {
      readonly kind: "unary";
      readonly operator: "-" | "!";
      readonly operand: Expression;
    })
  | (Ranged & { readonly kind: "tuple"; readonly items: readonly Expression[] })
  | (Ranged & { readonly kind: "object"; readonly items: readonly ObjectItem[] })
  | (Ranged & { readonly kind: "group"; readonly inner: Expression })
  | ForExpression;

/** The name of a bare word: what types and `inherits` of keys are written as. */
export function bareWord(expression: Expression): string | undefined {
  return expression.kind === "variable" ? expression.name : undefined;
}
