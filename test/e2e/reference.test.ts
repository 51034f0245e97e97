// The same Dockerfiles built by Kiln and by BuildKit: the same configuration, history, layers and files.
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith } from "../kit/needs.ts";
import { type Builders, comparable, openBuilders, referenceHost } from "./reference/builders.ts";
import { cases } from "./reference/cases/index.ts";
import { writeContext } from "./reference/context.ts";
import { openWorld, type World } from "./world.ts";

const asked = referenceHost ? "BuildKit" : "recorded answers of BuildKit";

describeWith(["root", "runtime", "registry", "bundle", "apt"], `${asked} and Kiln agree`, () => {
  let world: World;
  let builders: Builders;

  beforeAll(async () => {
    world = await openWorld();
    builders = await openBuilders(world);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  for (const one of cases) {
    it(one.name, async () => {
      // BuildKit takes files of equal size and time in a directory of the same name for unchanged.
      const context = join(world.directory, `${basename(world.directory)}-${one.name}`);
      writeContext(context, { ...one.files, Dockerfile: one.dockerfile });
      await builders.prepare(one);
      const reference = await builders.reference(one, context);
      const kiln = await builders.kiln(one, context);
      const why = [kiln, reference].map((answer) => ("fails" in answer ? answer.why : ""));
      const [made, wanted] = comparable(kiln, reference, one);
      expect(made, why.join("\n")).toEqual(wanted);
    });
  }
});
