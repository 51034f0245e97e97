// What a command is to the parser: its flags, its arguments, its words. Data only; help and docs are made from it.

/** How a flag's text is read; the names of pflag, whose behaviour this follows. */
export type FlagType =
  | "bool"
  | "string"
  | "int"
  | "bytes"
  | "duration"
  | "stringArray"
  | "stringSlice";

/** One flag. */
export interface Flag {
  readonly type: FlagType;
  /** One line, imperative, no full stop. */
  readonly usage: string;
  /** One letter. */
  readonly short?: string;
  /** Word for the value in help: `key=value`. The type's name where absent. */
  readonly value?: string;
  /** Text of the default, read as if it had been given; absent is the type's zero. */
  readonly default?: string;
  /** Value when the flag stands alone, without `=` (pflag's NoOptDefVal). Such a flag never takes the next argument. */
  readonly alone?: string;
  /** Left out of help and docs, still accepted. */
  readonly hidden?: boolean;
  /** Accepted with a warning that says this. */
  readonly deprecated?: string;
}

export type FlagSet = Readonly<Record<string, Flag>>;

/** What a flag's text becomes. Sizes are bytes, durations milliseconds. */
export type FlagValue<F extends Flag> = F["type"] extends "bool"
  ? boolean
  : F["type"] extends "string"
    ? string
    : F["type"] extends "int" | "bytes" | "duration"
      ? number
      : readonly string[];

/** The flags of one run: read values, and which of them the user gave. */
export interface Flags<S extends FlagSet = FlagSet> {
  readonly values: { readonly [K in keyof S]: FlagValue<S[K]> };
  /** True when the user wrote the flag, even with its default value. */
  given(name: keyof S & string): boolean;
}

/** What a command promises in help and docs. */
export interface CommandSpec<S extends FlagSet = FlagSet> {
  /** Words after `kiln`: `["imagetools", "inspect"]`. */
  readonly path: readonly string[];
  readonly aliases?: readonly string[];
  /** Words for the positional arguments: `PATH | URL | -`. */
  readonly argsUsage?: string;
  readonly args: { readonly min: number; readonly max: number };
  /** One line. */
  readonly summary: string;
  /** Paragraphs for help and docs. */
  readonly about?: string;
  readonly examples?: readonly { readonly what: string; readonly run: string }[];
  readonly flags: S;
  /** When true, flags end at the first positional argument: the rest belongs to somebody else's program. */
  readonly passThrough?: boolean;
}

/** The flags that every command takes, before or after its name. */
export const globalFlags = {
  builder: { type: "string", usage: "Override the configured builder instance", value: "name" },
  config: {
    type: "string",
    usage:
      "Configuration file (default: $KILN_CONFIG, else kiln.toml in ~/.config/kiln or /etc/kiln)",
    value: "file",
  },
  debug: { type: "bool", short: "D", usage: "Enable debug logging" },
  help: { type: "bool", short: "h", usage: "Show help" },
  isolation: {
    type: "string",
    usage:
      "How builds are kept apart from the machine: auto, root, userns, userns-fuse, userns-copy, proot (default: $KILN_ISOLATION, else auto)",
    value: "way",
  },
  root: {
    type: "string",
    usage: "Directory for everything that Kiln keeps (default: $KILN_ROOT)",
    value: "dir",
  },
} as const;

/** The global flags as read. */
export type GlobalFlags = Flags<typeof globalFlags>;
