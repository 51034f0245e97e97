// Locks by name: who has one is alone, and fleeting ones leave no file.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { uncancelled } from "../../base/index.ts";
import { createNamedLocks } from "./named-locks.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-locks-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const nothing = () => {};

it("a lock is held by one at a time, also among those that do not know each other", async () => {
  const [one, other] = [createNamedLocks(directory), createNamedLocks(directory)];
  const held = await one.hold("a", "locked", nothing, uncancelled);
  expect(other.tryHold("a")).toBeUndefined();
  expect(other.tryHold("b")).toBeDefined();
  held[Symbol.dispose]();
  expect(other.tryHold("a")).toBeDefined();
});

it("who waits is told once, and can be cancelled", async () => {
  const locks = createNamedLocks(directory);
  using _held = await locks.hold("a", "locked", nothing, uncancelled);
  let told = 0;
  const controller = new AbortController();
  const waiting = locks.hold("a", "locked", () => told++, controller);
  setTimeout(() => controller.abort(new Error("enough")), 60);
  await expect(waiting).rejects.toThrow();
  expect(told).toBe(1);
});

it("fleeting locks leave no file, and never let two in", async () => {
  const locks = [1, 2, 3].map(() => createNamedLocks(directory, { fleeting: true }));
  let inside = 0;
  let most = 0;
  const rounds = locks.flatMap((one) =>
    Array.from({ length: 20 }, async () => {
      using _held = await one.hold("a", "locked", nothing, uncancelled);
      most = Math.max(most, ++inside);
      await new Promise(setImmediate);
      inside--;
    }),
  );
  await Promise.all(rounds);
  expect(most).toBe(1);
  expect(readdirSync(directory)).toEqual([]);
});
