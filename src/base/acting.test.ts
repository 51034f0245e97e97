// Who works is known while one owner does, and when several do at once.
import { describe, expect, it, vi } from "vitest";

async function fresh(): Promise<typeof import("./acting.ts")> {
  vi.resetModules();
  return await import("./acting.ts");
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("acting", () => {
  it("knows the one owner as long as its work runs, and nobody afterwards", async () => {
    const { actingFor, actor } = await fresh();
    const owner = { name: "first" };
    const work = actingFor(owner, async () => {
      await soon();
      return actor();
    });
    expect(await work).toBe(owner);
    await soon();
    expect(actor()).toBeUndefined();
    expect(actingFor(owner, () => actor())).toBe(owner);
    expect(() =>
      actingFor(owner, () => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(actor()).toBeUndefined();
  });

  it("knows both of two owners whose work overlaps, also when the first began alone", async () => {
    const { actingFor, actor } = await fresh();
    const [first, second] = [{ name: "first" }, { name: "second" }];
    const seen: (object | undefined)[] = [];
    const watch = async () => {
      await soon();
      seen.push(actor());
      await soon();
      seen.push(actor());
    };
    const one = actingFor(first, watch);
    const two = actingFor(second, watch);
    await Promise.all([one, two]);
    expect(seen).toEqual([first, second, first, second]);
    const three = actingFor(first, watch);
    await Promise.all([three, actingFor(second, watch)]);
    expect(seen.slice(4)).toEqual([first, second, first, second]);
  });

  it("takes nobody for another where owners are told apart from the start", async () => {
    const { actingFor, actor, tellActorsApart } = await fresh();
    tellActorsApart();
    const owner = { name: "only" };
    let seen: object | undefined = owner;
    const outside = soon().then(() => {
      seen = actor();
    });
    const inside = actingFor(owner, async () => {
      await soon();
      return actor();
    });
    expect(await inside).toBe(owner);
    await outside;
    expect(seen).toBeUndefined();
  });
});
