// Flags of debugging, which stand before or behind the word build.

interface TextFlag<T extends "string" | "stringArray"> {
  readonly type: T;
  readonly value: string;
  readonly usage: string;
}

/** What `kiln debug build` takes besides the flags of a build. */
export const debugFlags: {
  readonly invoke: TextFlag<"string">;
  readonly on: TextFlag<"string"> & { readonly default: string };
  readonly copy: TextFlag<"stringArray">;
} = {
  invoke: {
    type: "string",
    value: "command",
    usage: "Run this command in the step that failed, or in the result, instead of a shell",
  },
  on: {
    type: "string",
    default: "error",
    value: "error|always",
    usage: "When to enter the build: error, or always",
  },
  copy: {
    type: "stringArray",
    value: "path=dest",
    usage: "Copy a file or directory out of the step that failed, or out of the result",
  },
};
