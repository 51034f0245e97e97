// Whether the processors have time left, by the kernel's counters.
import { expect, it } from "vitest";
import { createIdleWatch } from "./idle-watch.ts";

function watching(...texts: string[]): boolean[] {
  const left = [...texts];
  const isIdle = createIdleWatch(() => {
    const text = left.shift();
    if (text === undefined) throw new Error("no such file");
    return text;
  });
  return texts.map(() => isIdle());
}

it("compares with the question before", () => {
  const answers = watching(
    "cpu  100 0 100 100 0 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n",
    "cpu  110 0 110 200 0 0 0 0 0 0\n",
    "cpu  200 0 200 210 0 0 0 0 0 0\n",
    "cpu  200 0 200 210 0 0 0 0 0 0\n",
  );
  expect(answers).toEqual([false, true, false, false]);
});

it("takes waiting for a disk for work", () => {
  expect(watching("cpu  0 0 0 0 0 0 0 0", "cpu  0 0 0 10 90 0 0 0")).toEqual([false, false]);
});

it("is never idle where it cannot know", () => {
  expect(watching("", "cpu  x", "cpu  1 2")).toEqual([false, false, false]);
  expect(
    createIdleWatch(() => {
      throw new Error("none");
    })(),
  ).toBe(false);
});
