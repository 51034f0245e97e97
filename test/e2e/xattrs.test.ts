// Extended attributes of files in a context and in stages: they are copied, and nothing is cached that had others.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesOf, uncancelled } from "../../src/base/index.ts";
import { readTar, type TarHeader } from "../../src/formats/archive/index.ts";
import { loadSyscalls } from "../../src/storage/snapshot/index.ts";
import { describeWith } from "../kit/needs.ts";
import { openWorld, type World } from "./world.ts";

const dockerfile = `FROM scratch AS files
COPY . /
FROM scratch
COPY --from=files /tool /dir /copied/
`;

describeWith(["root", "bundle"], "extended attributes", () => {
  let world: World;
  let context: string;
  beforeAll(async () => {
    world = await openWorld();
    context = world.context({ Dockerfile: dockerfile, tool: "tool", "dir/sub/file": "file" });
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  /** Attributes by path in the image, and how many steps were cached. */
  const build = async () => {
    const dest = join(world.directory, "out.tar");
    const args = ["build", "--progress", "plain", "-o", `type=tar,dest=${dest}`, context];
    const outcome = await world.kiln(args);
    expect(outcome.status, outcome.stderr).toBe(0);
    const found: Record<string, Record<string, string>> = {};
    const text = (value: Uint8Array) => new TextDecoder().decode(value);
    const entry = ({ path, xattrs }: TarHeader) => {
      const pairs = [...(xattrs ?? [])].map(([name, value]) => [name, text(value)]);
      found[path.replace(/\/$/, "")] = Object.fromEntries(pairs);
    };
    await readTar(bytesOf(readFileSync(dest)), { entry, data() {}, end() {} }, uncancelled);
    const cached = outcome.stderr.match(/^#\d+ CACHED/gm)?.length ?? 0;
    return { found, cached };
  };
  const set = (path: string, name: string, value: string) =>
    loadSyscalls().lsetxattr(join(context, path), name, new TextEncoder().encode(value));

  it("are copied, and a change of one is a change of the files", async () => {
    expect((await build()).found["copied/tool"]).toEqual({});
    for (const value of ["1", "2"]) {
      set("tool", "trusted.kind", value);
      const first = await build();
      expect(first).toMatchObject({
        cached: 0,
        found: { "copied/tool": { "trusted.kind": value } },
      });
      expect(await build()).toEqual({ ...first, cached: 2 });
    }
    set("dir/sub", "trusted.kind", "3");
    const third = await build();
    expect(third).toMatchObject({ cached: 0, found: { "copied/sub": { "trusted.kind": "3" } } });
    expect(await build()).toEqual({ ...third, cached: 2 });
  });

  it("that mean something on this machine only are neither copied nor looked at", async () => {
    const before = await build();
    set("tool", "security.kiln-test", "label");
    expect(await build()).toEqual({ ...before, cached: 2 });
  });
});
