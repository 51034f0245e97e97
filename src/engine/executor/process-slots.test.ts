// Limits on steps that run at once: by number and by memory.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { abortReason, uncancelled } from "../../base/index.ts";
import { createProcessSlots, isScarce, type ProcessSlots } from "./process-slots.ts";

/** Starts that many waits at once; tells how many have come through. */
function crowd(slots: ProcessSlots, count: number) {
  const held: Disposable[] = [];
  const waits = Array.from({ length: count }, async () => {
    held.push(await slots.acquire(uncancelled));
  });
  return { held, all: Promise.all(waits) };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

it("lets as many in as there are jobs", async () => {
  const { held, all } = crowd(createProcessSlots({ jobs: 2, isMemoryScarce: () => false }), 5);
  for (let through = 2; through <= 5; through++) {
    await settle();
    expect(held).toHaveLength(through);
    held[through - 2]?.[Symbol.dispose]();
    held[through - 2]?.[Symbol.dispose]();
  }
  await all;
});

it("lets more in while those that run leave the processors idle, unless a number was asked for", async () => {
  let idle = false;
  const options = { isMemoryScarce: () => false, isIdle: () => idle, patienceMs: 1 };
  const [free, fixed] = [createProcessSlots(options), createProcessSlots({ ...options, jobs: 3 })];
  const some = crowd(free, 1000);
  const three = crowd(fixed, 4);
  await settle();
  const usual = some.held.length;
  expect(usual).toBeGreaterThanOrEqual(8);
  idle = true;
  await expect.poll(() => some.held.length).toBeGreaterThan(2 * usual);
  idle = false;
  await settle();
  const [most, at] = [some.held.length, some.held.length];
  expect(most).toBeLessThan(1000);
  // Whoever came in beyond the usual number leaves no place to others.
  some.held[0]?.[Symbol.dispose]();
  await settle();
  expect(some.held).toHaveLength(at);
  expect(three.held).toHaveLength(3);
});

it("lets one in at a time while memory is scarce, and the others when it is not", async () => {
  let scarce = true;
  const slots = createProcessSlots({ jobs: 8, isMemoryScarce: () => scarce, patienceMs: 1 });
  const { held, all } = crowd(slots, 4);
  await settle();
  expect(held).toHaveLength(1);
  held[0]?.[Symbol.dispose]();
  await settle();
  expect(held).toHaveLength(2);
  scarce = false;
  await all;
  expect(held).toHaveLength(4);
});

it("gives its place to others when it is cancelled while it waits for memory", async () => {
  let scarce = true;
  const slots = createProcessSlots({ jobs: 2, isMemoryScarce: () => scarce, patienceMs: 1 });
  const first = await slots.acquire(uncancelled);
  const controller = new AbortController();
  const second = slots.acquire(controller);
  await settle();
  controller.abort(abortReason("gone"));
  await expect(second).rejects.toThrow("gone");
  scarce = false;
  const third = await slots.acquire(uncancelled);
  for (const one of [first, third]) one[Symbol.dispose]();
});

it.each([
  [16_000_000, 8_000_000, false],
  [16_000_000, 200_000, true],
  [16_000_000, 300_000, false],
  [1_000_000, 60_000, false],
  [1_000_000, 40_000, true],
])("of %d KiB, %d KiB available are scarce: %j", (total, available, scarce) => {
  const text = `MemTotal:       ${total} kB\nMemFree:  1 kB\nMemAvailable:   ${available} kB\n`;
  expect(isScarce(text)).toBe(scarce);
});

it("reads this machine's memory, and does without it", () => {
  expect(isScarce(readFileSync("/proc/meminfo", "utf8"))).toBe(false);
  expect(isScarce("")).toBe(false);
});
