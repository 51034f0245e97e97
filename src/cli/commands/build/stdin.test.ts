// Standard input of `kiln build`: a Dockerfile or an archive, told apart by its first bytes.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { gathered, pieces, tarOf } from "../../../../test/kit/tar.ts";
import { AsyncStack } from "../../../base/index.ts";
import type { RunWorld } from "../command.ts";
import { readStdin } from "./stdin.ts";

async function read(
  context: string,
  file: string,
  data: string | Uint8Array,
  stack: AsyncStack,
  size = 7,
) {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const stdin = Object.assign(pieces(bytes, size), { isTerminal: false });
  return await readStdin(context, file, stack, { stdin } as Partial<RunWorld> as RunWorld);
}

describe("standard input", () => {
  it("is not read where nobody asks for it", async () => {
    await using stack = new AsyncStack();
    const stdin = {
      isTerminal: true,
      [Symbol.asyncIterator]: () => {
        throw new Error("read");
      },
    };
    const world = { stdin } as Partial<RunWorld> as RunWorld;
    expect(await readStdin(".", "Dockerfile", stack, world)).toBeUndefined();
  });

  it.each([
    ["-", ""],
    [".", "-"],
  ])("with context %j and -f %j may be a Dockerfile, which is gone afterwards", async (...args) => {
    let directory = "";
    {
      await using stack = new AsyncStack();
      const source = await read(...args, "FROM scratch\n", stack);
      if (source?.kind !== "dockerfile") throw new Error("no Dockerfile");
      directory = source.directory;
      expect(readFileSync(join(directory, "Dockerfile"), "utf8")).toBe("FROM scratch\n");
    }
    expect(existsSync(directory)).toBe(false);
  });

  it.each([1, 511, 512, 513, 100_000])(
    "may be an archive, whole, in pieces of %i",
    async (size) => {
      await using stack = new AsyncStack();
      const archive = tarOf([{ path: "Dockerfile", data: "FROM scratch\n" }]);
      const source = await read("-", "", archive, stack, size);
      if (source?.kind !== "archive") throw new Error("no archive");
      expect(await gathered(source.data)).toEqual(archive);
    },
  );

  it.each([
    ["-", "-", "FROM scratch", "cannot be both the context and its Dockerfile"],
    ["-", "D", "FROM scratch", "-f D names a Dockerfile, but one came on standard input"],
    [".", "-", tarOf([{ path: "a" }]), "-f - reads a Dockerfile, but an archive came"],
    ["-", "", "", "nothing came on standard input"],
    ["-", "", "#".repeat(5 << 20), "larger than"],
  ])(
    "with context %j and -f %j is refused where it makes no sense",
    async (context, file, data, words) => {
      await using stack = new AsyncStack();
      await expect(read(context, file, data, stack, 1 << 20)).rejects.toThrow(words);
    },
  );
});
