// What other blocks see of a target or a group: attributes of all blocks of its name.
import { convert, evaluate, type Value } from "../hcl/index.ts";
import type { Instance } from "./instances.ts";
import type { BlockView } from "./scope.ts";
import { type FieldName, fields } from "./target.ts";

/** Of blocks of one name the last that has an attribute says what it is; what none has is null. */
export function viewOf(instances: readonly Instance[], known: readonly string[]): BlockView {
  return {
    names: () =>
      known.filter((name) => instances.some(({ block }) => block.body.attributes.has(name))),
    attribute(name) {
      const last = instances.findLast(({ block }) => block.body.attributes.has(name));
      const attribute = last?.block.body.attributes.get(name);
      if (!last || !attribute) return known.includes(name) ? null : undefined;
      const value = evaluate(attribute.expression, last.scope);
      return shaped(name, value);
    },
  };
}

/** Texts, lists and maps as the attribute holds them; entries stay as they are written. */
function shaped(name: string, value: Value): Value {
  const field = Object.hasOwn(fields, name) ? fields[name as FieldName] : undefined;
  const types = { text: "string", flag: "bool", texts: { list: "string" } } as const;
  const maps = { map: { map: "string" }, nullableMap: { map: "string" } } as const;
  const wanted = { ...types, ...maps } as Readonly<Record<string, Parameters<typeof convert>[1]>>;
  const type = field && wanted[field.kind];
  if (type === undefined) return value;
  try {
    return convert(value, type);
  } catch {
    return value;
  }
}
