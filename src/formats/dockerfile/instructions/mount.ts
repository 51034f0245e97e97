// RUN --mount: one comma-separated option list into a checked mount.
import { closest } from "../../../base/index.ts";
import { parseBool, parseSize, parseUint32 } from "../numbers.ts";
import { csvFields } from "./csv.ts";
import { type ExpandWord, Mistake } from "./instruction.ts";

const types = ["bind", "cache", "tmpfs", "secret", "ssh"] as const;
const sharings = ["shared", "private", "locked"] as const;

export type MountType = (typeof types)[number];
export type MountSharing = (typeof sharings)[number];

/** A mount of a RUN step; "" where an option is not given. */
export interface RunMount {
  readonly type: MountType;
  readonly from: string;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Bytes; 0 means no limit. */
  readonly sizeLimit: number;
  readonly id: string;
  readonly sharing: MountSharing | "";
  readonly required: boolean;
  /** Variable that a secret is put in. */
  readonly env?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

type Draft = { -readonly [Key in keyof RunMount]: RunMount[Key] };

/** A mount and the option that is being read. */
interface State {
  readonly mount: Draft;
  /** True until ro or rw is given. */
  automatic: boolean;
  field: string;
  key: string;
  value: string;
}

/** Reads a `--mount` value after replacing variables in each option's value. Throws a `Mistake`. */
export function parseMount(text: string, expand: ExpandWord): RunMount {
  const mount: Draft = {
    type: "bind",
    from: "",
    source: "",
    target: "",
    readOnly: false,
    sizeLimit: 0,
    id: "",
    sharing: "",
    required: false,
  };
  const state: State = { mount, automatic: true, field: "", key: "", value: "" };
  for (const field of mountFields(text)) {
    const sign = field.indexOf("=");
    const key = (sign === -1 ? field : field.slice(0, sign)).toLowerCase();
    const apply = Object.hasOwn(options, key) ? options[key] : undefined;
    state.field = field;
    state.key = key;
    state.value = sign === -1 ? bareValue(key, field) : expand(field.slice(sign + 1));
    if (!apply) throw unknownOption(key, field);
    apply(state);
  }
  if (state.automatic) mount.readOnly = mount.type !== "cache" && mount.type !== "tmpfs";
  checkMount(mount);
  return mount;
}

/** What can be said of a `--mount` value before its variables are known. Throws a `Mistake`. */
export function precheckMount(text: string): void {
  if (text === "") throw new Mistake("failed to parse csv mounts: there is nothing in --mount=");
  if (!/["$]/.test(text)) return;
  for (const field of mountFields(text)) {
    const sign = field.indexOf("=");
    if (sign === -1 || field.slice(0, sign).toLowerCase() !== "from") continue;
    const dollar = field.indexOf("$", sign);
    if (dollar !== -1 && dollar + 1 < field.length) {
      throw new Mistake("'from' doesn't support variable expansion, define alias stage instead", {
        word: field,
      });
    }
  }
}

function mountFields(text: string): readonly string[] {
  const fields = csvFields(text);
  if (!fields)
    throw new Mistake("failed to parse csv mounts: a quote is out of place", { word: text });
  return fields;
}

function bareValue(key: string, field: string): string {
  if (["readonly", "ro", "readwrite", "rw", "required"].includes(key)) return "true";
  throw new Mistake(`invalid field '${field}' must be a key=value pair`, { word: field });
}

const options: Readonly<Record<string, (state: State) => void>> = {
  type: ({ mount, value }) => {
    mount.type = oneOf(types, value, "unsupported mount type");
  },
  from: ({ mount, value }) => {
    mount.from = value;
  },
  ...alias(["source", "src"], ({ mount, value }) => {
    mount.source = value;
  }),
  ...alias(["target", "dst", "destination"], ({ mount, value }) => {
    mount.target = value;
  }),
  ...alias(["readonly", "ro"], (state) => {
    state.mount.readOnly = boolOf(state);
    state.automatic = false;
  }),
  ...alias(["readwrite", "rw"], (state) => {
    state.mount.readOnly = !boolOf(state);
    state.automatic = false;
  }),
  required: (state) => {
    if (state.mount.type !== "secret" && state.mount.type !== "ssh") throw wrongType(state);
    state.mount.required = boolOf(state);
  },
  size: (state) => {
    if (state.mount.type !== "tmpfs") throw wrongType(state);
    state.mount.sizeLimit = orInvalid(
      parseSize(state.value),
      state,
      `invalid value for size: ${state.value}`,
    );
  },
  id: ({ mount, value }) => {
    mount.id = value;
  },
  sharing: ({ mount, value }) => {
    mount.sharing = oneOf(sharings, value, "unsupported sharing value");
  },
  mode: (state) => {
    state.mount.mode = orInvalid(
      parseUint32(state.value, 8),
      state,
      `invalid value ${state.value} for mode`,
    );
  },
  uid: (state) => {
    state.mount.uid = orInvalid(
      parseUint32(state.value, 10),
      state,
      `invalid value ${state.value} for uid`,
    );
  },
  gid: (state) => {
    state.mount.gid = orInvalid(
      parseUint32(state.value, 10),
      state,
      `invalid value ${state.value} for gid`,
    );
  },
  env: ({ mount, value }) => {
    mount.env = value;
  },
};

function alias(
  names: readonly string[],
  apply: (state: State) => void,
): Record<string, (state: State) => void> {
  return Object.fromEntries(names.map((name) => [name, apply]));
}

function boolOf(state: State): boolean {
  return orInvalid(parseBool(state.value), state, `invalid value for ${state.key}: ${state.value}`);
}

function orInvalid<Value>(value: Value | undefined, state: State, message: string): Value {
  if (value === undefined) throw new Mistake(message, { word: state.field });
  return value;
}

function oneOf<const Known extends string>(
  known: readonly Known[],
  value: string,
  what: string,
): Known {
  const found = known.find((one) => one === value.toLowerCase());
  if (found !== undefined) return found;
  const near = closest(value, known);
  const hint = near === undefined ? `Use one of ${known.join(", ")}.` : `Did you mean ${near}?`;
  throw new Mistake(`${what} ${JSON.stringify(value)}`, { word: value, hint });
}

function wrongType({ key, mount, field }: State): Mistake {
  return new Mistake(`unexpected key '${key}' for mount type '${mount.type}'`, { word: field });
}

function unknownOption(key: string, field: string): Mistake {
  const near = closest(key, Object.keys(options));
  const hint = near === undefined ? undefined : `Did you mean ${near}?`;
  return new Mistake(`unexpected key '${key}' in '${field}'`, { word: field, hint });
}

function checkMount(mount: RunMount): void {
  const owned = mount.type === "secret" || mount.type === "ssh" || mount.type === "cache";
  for (const key of ["mode", "uid", "gid"] as const) {
    if (!owned && mount[key] !== undefined)
      throw new Mistake(`${key} not allowed for "${mount.type}" type mounts`, { word: key });
  }
  if (mount.type === "secret") {
    if (mount.from !== "")
      throw new Mistake("secret mount should not have a from", { word: "from" });
    if (mount.sharing !== "")
      throw new Mistake("secret mount should not define sharing", { word: "sharing" });
    if (mount.source === "" && mount.target === "" && mount.id === "") {
      throw new Mistake("invalid secret mount. one of source, target required", {
        word: "type=secret",
        hint: "Name the secret: --mount=type=secret,id=<name>.",
      });
    }
    if (mount.source !== "" && mount.id !== "")
      throw new Mistake("both source and id can't be set");
  }
  if (mount.sharing !== "" && mount.type !== "cache") {
    throw new Mistake(`invalid cache sharing set for ${mount.type} mount`, { word: "sharing" });
  }
}
