// Results of frontends as messages: what Go's clients send comes in any order.
import { expect, it } from "vitest";
import { gateway } from "../../formats/proto/index.ts";
import { readResult, resultKeys } from "./gateway-result.ts";

const platforms = ["linux/amd64", "linux/arm64", "linux/riscv64"];

it.each([platforms, [...platforms].reverse()])(
  "platforms stay in the order that is said",
  (...sent) => {
    const Platforms = platforms.map((ID) => {
      const [os, architecture] = ID.split("/");
      return { ID, Platform: { os, architecture } };
    });
    const refs = new Map(sent.map((id) => [id, gateway.Ref.create({ id: `ref of ${id}` })]));
    const { parts, multiPlatform } = readResult(
      gateway.Result.create({
        result: { $case: "refs", value: { refs } },
        metadata: new Map([
          [resultKeys.platforms, new TextEncoder().encode(JSON.stringify({ Platforms }))],
        ]),
      }),
      () => ({ os: "linux", architecture: "amd64" }),
    );
    expect(multiPlatform).toBe(true);
    expect(parts.map(({ id }) => id)).toEqual(platforms);
    expect(parts.map(({ ref }) => ref.id)).toEqual(platforms.map((id) => `ref of ${id}`));
  },
);
