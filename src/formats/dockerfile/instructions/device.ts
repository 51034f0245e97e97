// RUN --device: one comma-separated option list into a device that the step asks for.

import { parseBool } from "../numbers.ts";
import { csvFields } from "./csv.ts";
import { Mistake } from "./instruction.ts";

/** A device by its CDI name. */
export interface RunDevice {
  readonly name: string;
  readonly required: boolean;
}

/** Reads a `--device` value: `<name>[,required]` or `name=<name>,required=<bool>`. Throws a `Mistake`. */
export function parseDevice(text: string): RunDevice {
  const fields = csvFields(text);
  if (!fields)
    throw new Mistake("failed to parse csv devices: a quote is out of place", { word: text });
  let name = "";
  let required = false;
  for (const field of fields) {
    const sign = field.indexOf("=");
    const key = (sign === -1 ? field : field.slice(0, sign)).toLowerCase();
    const value = sign === -1 ? undefined : field.slice(sign + 1);
    if (key === "required") {
      const flag = parseBool(value ?? "true");
      if (flag === undefined)
        throw new Mistake(`invalid value for ${key}: ${value}`, { word: field });
      required = flag;
    } else if (key === "name" && value !== undefined) {
      if (name !== "") throw new Mistake(`device name already set to ${name}`, { word: field });
      name = value;
    } else if (name === "") {
      // A CDI name (vendor.com/class=name) may itself hold a "=".
      name = field;
    } else if (value === undefined) {
      throw new Mistake(`invalid field '${field}' must be a key=value pair`, { word: field });
    } else {
      throw new Mistake(`unexpected key '${key}' in '${field}'`, { word: field });
    }
  }
  return { name, required };
}
