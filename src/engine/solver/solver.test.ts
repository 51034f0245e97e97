// What the solver promises, tried with integers.
import { describe, expect, it } from "vitest";
import { NumberSolver, type NumberStep, step } from "../../../test/kit/number-steps.ts";
import type { BuildEvent } from "../../api/index.ts";
import { abortReason, type Call, Limiter, uncancelled } from "../../base/index.ts";
import type { Edge, Turns } from "./index.ts";

const source = (name: string, value: number, key = name) => step(name, { key, run: () => [value] });

/** A step that waits until it is told to go on, or is cancelled. */
function gate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let enter: () => void = () => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  let cancelled = 0;
  const wait = (call: Call) => {
    enter();
    return new Promise<void>((resolve, reject) => {
      opened.then(resolve, reject);
      call.signal.addEventListener("abort", () => {
        cancelled++;
        reject(call.signal.reason);
      });
    });
  };
  return { open, entered, wait, cancelled: () => cancelled };
}

describe("a build without a cache", () => {
  it("runs every step once, inputs first", async () => {
    const numbers = new NumberSolver();
    const base = source("base", 10);
    const left = step("left", { inputs: [base] });
    const right = step("right", { inputs: [base] });
    const top = step("top", { inputs: [left, right, base] });
    expect(await numbers.build(top, uncancelled)).toBe(11 + 11 + 10 + 1);
    expect(numbers.taken("run")).toEqual(["run base", "run left", "run right", "run top"]);
    expect(numbers.live.size).toBe(0);
  });

  it("tells steps that will run to prepare before any of them runs, and none of which a result is kept", async () => {
    const numbers = new NumberSolver();
    const base = source("base", 10);
    const middle = step("middle", { inputs: [base] });
    await numbers.build(middle, uncancelled);
    numbers.taken();
    const top = step("top", { inputs: [step("upper", { inputs: [middle] })] });
    numbers.solver = numbers.restart();
    await numbers.build(top, uncancelled);
    const [first, second, ...rest] = numbers.taken("prepare", "run");
    expect([first, second].toSorted()).toEqual(["prepare top", "prepare upper"]);
    expect(rest).toEqual(["run upper", "run top"]);
    await numbers.build(top, uncancelled);
    expect(numbers.taken("prepare", "run")).toEqual([]);
  });

  it("runs a step once for all of its outputs", async () => {
    const numbers = new NumberSolver();
    const pair = step("pair", { run: () => [3, 4] });
    const second: Edge<(typeof pair)["def"]> = { vertex: pair, output: 1 };
    const both = step("both", { inputs: [pair, second], run: ([a = 0, b = 0]) => [a * 10 + b] });
    expect(await numbers.build(both, uncancelled)).toBe(34);
    expect(numbers.taken("run")).toEqual(["run pair", "run both"]);
  });

  it("goes thousands of steps deep", async () => {
    const numbers = new NumberSolver();
    let last = source("base", 0);
    for (let depth = 1; depth <= 2000; depth++) last = step(`step ${depth}`, { inputs: [last] });
    expect(await numbers.build(last, uncancelled)).toBe(2000);
  });

  it("says that a step lacks an output", async () => {
    const numbers = new NumberSolver();
    const missing = numbers.build({ vertex: source("base", 1), output: 3 }, uncancelled);
    await expect(missing).rejects.toThrow("no output 3");
    expect(numbers.live.size).toBe(0);
  });
});

describe("a build whose steps are cached", () => {
  it("loads the last result and nothing else", async () => {
    const numbers = new NumberSolver();
    const top = step("top", {
      inputs: [step("middle", { inputs: [source("a", 1), source("b", 2)] })],
    });
    await numbers.build(top, uncancelled);
    numbers.taken();
    expect(await numbers.build(top, uncancelled)).toBe(5);
    expect(numbers.taken("run", "load", "content")).toEqual(["load r4"]);
  });

  it("is found by another solver on the same cache", async () => {
    const numbers = new NumberSolver();
    const top = step("top", { inputs: [source("a", 1)] });
    await numbers.build(top, uncancelled);
    numbers.taken();
    await using job = numbers.restart().job("later", () => {});
    expect((await job.build({ vertex: top, output: 0 }, uncancelled)).value).toBe(2);
    expect(numbers.taken("run")).toEqual([]);
  });

  it("runs what depends on a changed source, and that only", async () => {
    const numbers = new NumberSolver();
    const build = (value: number) =>
      step("top", {
        inputs: [
          step("kept", { inputs: [source("still", 1)] }),
          step("moved", { inputs: [source("moving", value, `moving ${value}`)] }),
        ],
      });
    expect(await numbers.build(build(1), uncancelled)).toBe(5);
    numbers.taken();
    expect(await numbers.build(build(2), uncancelled)).toBe(6);
    expect(numbers.taken("run")).toEqual(["run moving", "run moved", "run top"]);
  });

  it("runs a step whose result has gone", async () => {
    const numbers = new NumberSolver();
    const top = step("top", { inputs: [source("a", 1)] });
    await numbers.build(top, uncancelled);
    numbers.saved.delete("r2");
    numbers.taken();
    expect(await numbers.build(top, uncancelled)).toBe(2);
    expect(numbers.taken("run")).toEqual(["run top"]);
  });

  it("is found although results of steps below have gone", async () => {
    const numbers = new NumberSolver();
    const top = step("top", { inputs: [step("middle", { inputs: [source("a", 1)] })] });
    await numbers.build(top, uncancelled);
    numbers.saved.delete("r1");
    numbers.saved.delete("r2");
    numbers.taken();
    expect(await numbers.build(top, uncancelled)).toBe(3);
    expect(numbers.taken("run")).toEqual([]);
  });

  it("goes on without a cache that fails", async () => {
    const broken = async () => {
      throw new Error("the disk is on fire");
    };
    const numbers = new NumberSolver(() => ({
      id: "broken",
      query: broken,
      records: broken,
      load: broken,
      link: broken,
      save: broken,
    }));
    expect(await numbers.build(step("top", { inputs: [source("a", 1)] }), uncancelled)).toBe(2);
    expect(numbers.live.size).toBe(0);
  });
});

describe("content", () => {
  const parity = (value: number) => value % 2;
  const build = (value: number) => {
    const files = source("files", value, `files ${value}`);
    const copied = step("copy", {
      inputs: [source("base", 100), files],
      content: [undefined, parity],
      run: ([base = 0, value = 0]) => [base + parity(value)],
    });
    return step("top", { inputs: [copied] });
  };

  it("brings a hit where the definition has changed", async () => {
    const numbers = new NumberSolver();
    expect(await numbers.build(build(3), uncancelled)).toBe(102);
    numbers.taken();
    expect(await numbers.build(build(5), uncancelled)).toBe(102);
    expect(numbers.taken("run", "load", "content")).toEqual([
      "run files",
      "content copy 1",
      "load r4",
    ]);
  });

  it("is not looked at again once its definition is known", async () => {
    const numbers = new NumberSolver();
    await numbers.build(build(3), uncancelled);
    await numbers.build(build(5), uncancelled);
    numbers.taken();
    expect(await numbers.build(build(5), uncancelled)).toBe(102);
    expect(numbers.taken("run", "load", "content")).toEqual(["load r4"]);
  });

  it("is not looked at where another input makes a hit impossible before", async () => {
    const numbers = new NumberSolver();
    const other = (name: string, value: number) =>
      step("copy", {
        inputs: [source(name, 1), source("files", value, `files ${value}`)],
        content: [undefined, parity],
      });
    await numbers.build(other("base", 1), uncancelled);
    numbers.taken();
    expect(await numbers.build(other("new base", 1), uncancelled)).toBe(3);
    expect(numbers.taken("run")).toEqual(["run new base", "run copy"]);
  });

  it("of inputs that match by definition is left alone", async () => {
    const numbers = new NumberSolver();
    const build = (value: number) =>
      step("copy", {
        inputs: [source("image", 1), source("files", value, `files ${value}`)],
        content: [parity, parity],
        run: ([a = 0, b = 0]) => [parity(a) + parity(b)],
      });
    await numbers.build(build(1), uncancelled);
    numbers.taken();
    expect(await numbers.build(build(3), uncancelled)).toBe(2);
    expect(numbers.taken("run", "content")).toEqual(["run files", "content copy 1"]);
  });

  it("is searched in all inputs where definitions lead to different steps", async () => {
    const numbers = new NumberSolver();
    const build = (a: number, b: number) =>
      step("join", {
        inputs: [source("a", a, `a ${a}`), source("b", b, `b ${b}`)],
        content: [parity, parity],
        run: ([a = 0, b = 0]) => [parity(a) * 10 + parity(b)],
      });
    await numbers.build(build(1, 1), uncancelled);
    await numbers.build(build(2, 2), uncancelled);
    await numbers.build(build(3, 2), uncancelled);
    numbers.taken();
    // Each half is known, but of another whole.
    expect(await numbers.build(build(1, 2), uncancelled)).toBe(10);
    expect(numbers.taken("run")).not.toContain("run join");
  });

  it("under different selectors is different", async () => {
    const numbers = new NumberSolver();
    const pick = (selector: string) =>
      step(`pick ${selector}`, {
        key: "pick",
        inputs: [source("files", 7)],
        selectors: [selector],
        run: () => [selector.length],
      });
    expect(await numbers.build(pick("/a"), uncancelled)).toBe(2);
    expect(await numbers.build(pick("/abc"), uncancelled)).toBe(4);
  });
});

describe("jobs at the same time", () => {
  it("share equal steps", async () => {
    const numbers = new NumberSolver();
    const work = gate();
    const slow = step("slow", {
      run: async (_, call) => {
        await work.wait(call);
        return [5];
      },
    });
    const builds = [
      numbers.build(step("a", { inputs: [slow] }), uncancelled),
      numbers.build(step("b", { inputs: [slow] }), uncancelled),
    ];
    await work.entered;
    work.open();
    expect(await Promise.all(builds)).toEqual([6, 6]);
    expect(numbers.taken("run").filter((call) => call === "run slow")).toHaveLength(1);
    expect(numbers.live.size).toBe(0);
  });

  it("let a step go on until the last of them is cancelled", async () => {
    const numbers = new NumberSolver();
    const work = gate();
    const slow = step("slow", { run: async (_, call) => work.wait(call).then(() => [5]) });
    const first = new AbortController();
    const second = new AbortController();
    const one = numbers.build(slow, first);
    const two = numbers.build(slow, second);
    await work.entered;
    first.abort(abortReason("stop"));
    await expect(one).rejects.toThrow("stop");
    expect(work.cancelled()).toBe(0);
    second.abort(abortReason("stop too"));
    await expect(two).rejects.toThrow("stop too");
    expect(work.cancelled()).toBe(1);
    expect(numbers.running).toBe(0);
    expect(numbers.live.size).toBe(0);
  });

  it("run steps once that turn out to be the same", async () => {
    const numbers = new NumberSolver();
    const tag = source("image:latest", 4, "image");
    const pin = source("image@digest", 4, "image");
    const builds = step("all", {
      inputs: [step("work", { inputs: [tag] }), step("work", { inputs: [pin] })],
    });
    expect(await numbers.build(builds, uncancelled)).toBe(11);
    expect(numbers.taken("run").map((call) => call.split(/[:@]/)[0])).toEqual([
      "run image",
      "run work",
      "run all",
    ]);
    expect(numbers.live.size).toBe(0);
  });

  it("do not lose a step that another job began as its own, and left", async () => {
    const numbers = new NumberSolver();
    const work = gate();
    const run = async (_: unknown, call: Call) => work.wait(call).then(() => [5]);
    const leaving = new AbortController();
    const one = numbers.build(step("by tag", { key: "image", run }), leaving);
    await work.entered;
    const two = numbers.build(step("by digest", { key: "image", run }), uncancelled);
    await new Promise(setImmediate);
    leaving.abort(abortReason("gone"));
    await expect(one).rejects.toThrow("gone");
    work.open();
    expect(await two).toBe(5);
    expect(numbers.taken("run")).toEqual(["run by tag"]);
    expect(numbers.live.size).toBe(0);
  });

  it("do a step again that failed because its first job had left", async () => {
    const numbers = new NumberSolver();
    const work = gate();
    let attempts = 0;
    const fragile = step("fragile", {
      run: async () => {
        if (++attempts > 1) return [8];
        await work.wait(uncancelled);
        throw new Error("the session has ended");
      },
    });
    const leaving = new AbortController();
    const one = numbers.build(fragile, leaving);
    await work.entered;
    const two = numbers.build(fragile, uncancelled);
    await new Promise(setImmediate);
    leaving.abort(abortReason("gone"));
    await expect(one).rejects.toThrow("gone");
    work.open();
    expect(await two).toBe(8);
  });
});

describe("a failure", () => {
  it("cancels the rest of its build and reaches the caller unchanged", async () => {
    const numbers = new NumberSolver();
    const work = gate();
    const failure = new Error("exit code 1");
    const slow = step("slow", { run: async (_, call) => work.wait(call).then(() => [5]) });
    const bad = step("bad", {
      run: async () => {
        await work.entered;
        throw failure;
      },
    });
    const build = numbers.build(step("top", { inputs: [slow, bad] }), uncancelled);
    await expect(build).rejects.toBe(failure);
    expect(work.cancelled()).toBe(1);
    expect(numbers.live.size).toBe(0);
  });

  it("leaves what does not need it to its end where the job keeps going, and all failures are told once", async () => {
    const numbers = new NumberSolver();
    const fail = (text: string) => () => {
      throw new Error(text);
    };
    const first = step("first", { run: fail("one") });
    const slow = step("slow", { run: async () => new Promise((go) => setTimeout(go, 20, [5])) });
    const second = step("second", { inputs: [slow], run: fail("two") });
    const needsFirst = step("needs first", { inputs: [first, slow] });
    const third = step("third", { inputs: [step("far", { inputs: [slow] })] });
    const top = step("top", { inputs: [needsFirst, first, second, third] });
    const events: BuildEvent[] = [];
    const emit = (event: BuildEvent) => events.push(event);
    const build = numbers.build(top, uncancelled, emit, { keepGoing: true });
    const error: unknown = await build.catch((reason: unknown) => reason);
    expect((error as AggregateError).errors.map((one: Error) => one.message).sort()).toEqual([
      "one",
      "two",
    ]);
    expect(numbers.taken("run").sort()).toEqual(
      ["first", "slow", "second", "far", "third"].map((name) => `run ${name}`).sort(),
    );
    const states = events.map((event) => (event.type === "step" ? event.state : ""));
    expect(states).not.toContain("cancelled");
    expect(numbers.live.size).toBe(0);
  });

  it("stays itself where the job keeps going and nothing else fails, and Ctrl-C still stops it", async () => {
    const numbers = new NumberSolver();
    const failure = new Error("exit code 1");
    const bad = step("bad", {
      run: () => {
        throw failure;
      },
    });
    const alone = numbers.build(bad, uncancelled, undefined, { keepGoing: true });
    await expect(alone).rejects.toBe(failure);
    const work = gate();
    const slow = step("slow", { run: async (_, call) => work.wait(call).then(() => [5]) });
    const controller = new AbortController();
    const both = step("both", { inputs: [bad, slow] });
    const build = numbers.build(both, controller, undefined, { keepGoing: true });
    await work.entered;
    controller.abort(abortReason("gone"));
    await expect(build).rejects.toThrow("gone");
    expect(work.cancelled()).toBe(1);
    expect(numbers.live.size).toBe(0);
  });

  it("is not remembered for the next build", async () => {
    const numbers = new NumberSolver();
    let broken = true;
    const flaky = step("flaky", {
      run: () => {
        if (broken) throw new Error("not yet");
        return [1];
      },
    });
    await using job = numbers.solver.job("one", () => {});
    const edge = { vertex: flaky, output: 0 };
    await expect(job.build(edge, uncancelled)).rejects.toThrow("not yet");
    broken = false;
    expect((await job.build(edge, uncancelled)).value).toBe(1);
  });

  it("to find a step's key fails the build", async () => {
    const numbers = new NumberSolver();
    const lost = step("lost", {
      resolving: async () => {
        throw new Error("no such image");
      },
    });
    await expect(numbers.build(step("top", { inputs: [lost] }), uncancelled)).rejects.toThrow(
      "no such image",
    );
  });
});

describe("ignoring the cache", () => {
  let world = 1;
  const fetch = (ignoreCache: boolean) =>
    step("fetch", { run: () => [world], ...(ignoreCache ? { ignoreCache } : {}) });
  const build = (ignoreCache: boolean) =>
    step("top", { inputs: [step("middle", { inputs: [fetch(ignoreCache)] })] });

  it("runs the step and what is built on it", async () => {
    const numbers = new NumberSolver();
    world = 1;
    await numbers.build(build(false), uncancelled);
    world = 2;
    expect(await numbers.build(build(false), uncancelled)).toBe(3);
    expect(await numbers.build(build(true), uncancelled)).toBe(4);
  });

  it("leaves the new results to later builds", async () => {
    const numbers = new NumberSolver();
    for (world of [1, 2, 1, 3]) await numbers.build(build(true), uncancelled);
    world = 9;
    numbers.taken();
    expect(await numbers.build(build(false), uncancelled)).toBe(5);
    expect(numbers.taken("run")).toEqual([]);
  });

  it("stops at a step whose input has the same content as before", async () => {
    const numbers = new NumberSolver();
    const copy = (ignoreCache: boolean) =>
      step("copy", { inputs: [fetch(ignoreCache)], content: [(value) => value % 2] });
    world = 1;
    await numbers.build(copy(false), uncancelled);
    world = 3;
    numbers.taken();
    expect(await numbers.build(copy(true), uncancelled)).toBe(2);
    expect(numbers.taken("run")).toEqual(["run fetch"]);
  });

  it("of content that comes back is followed by later builds", async () => {
    const numbers = new NumberSolver();
    const copy = (ignoreCache: boolean) =>
      step("copy", { inputs: [fetch(ignoreCache)], content: [(value) => value] });
    for (world of [1, 2, 1]) await numbers.build(copy(true), uncancelled);
    expect(await numbers.build(copy(false), uncancelled)).toBe(2);
  });

  it("neither takes from nor gives to jobs that run at the same time", async () => {
    const numbers = new NumberSolver();
    const work = gate();
    const runs: string[] = [];
    const slow = (ignoreCache: boolean) =>
      step("slow", {
        run: async (_, call) => {
          runs.push(String(ignoreCache));
          await work.wait(call);
          return [ignoreCache ? 2 : 1];
        },
        ...(ignoreCache ? { ignoreCache } : {}),
      });
    const builds = [false, true, true].map((ignore) =>
      numbers.build(step("top", { inputs: [slow(ignore)] }), uncancelled),
    );
    await work.entered;
    await new Promise(setImmediate);
    work.open();
    expect(await Promise.all(builds)).toEqual([2, 3, 3]);
    expect(runs.sort()).toEqual(["false", "true", "true"]);
  });
});

describe("events", () => {
  const states = (events: readonly BuildEvent[]) =>
    events.flatMap((event) => (event.type === "step" ? [`${event.state} ${event.name}`] : []));

  it("tell what is planned, started and done", async () => {
    const numbers = new NumberSolver();
    const events: BuildEvent[] = [];
    await numbers.build(step("top", { inputs: [source("a", 1)] }), uncancelled, (event) =>
      events.push(event),
    );
    expect(states(events)).toEqual([
      "planned a",
      "planned top",
      "started a",
      "done a",
      "started top",
      "done top",
    ]);
  });

  it("call every step cached, once, that a hit makes needless", async () => {
    const numbers = new NumberSolver();
    const base = source("base", 1);
    const top = step("top", {
      inputs: [step("left", { inputs: [base] }), step("right", { inputs: [base] })],
    });
    await numbers.build(top, uncancelled);
    const events: BuildEvent[] = [];
    await numbers.build(top, uncancelled, (event) => events.push(event));
    const cached = states(events).filter((one) => one.startsWith("cached"));
    expect(cached).toEqual(["cached left", "cached base", "cached right", "cached top"]);
  });

  it("call a source done that was seen at work, though its result is not needed", async () => {
    const numbers = new NumberSolver();
    const context = step("context", {
      resolving: async (call) => {
        call.emit({ type: "progress", step: call.step, id: "files", at: new Date(), current: 4 });
      },
    });
    const top = step("top", { inputs: [context] });
    await numbers.build(top, uncancelled);
    const events: BuildEvent[] = [];
    await numbers.build(top, uncancelled, (event) => events.push(event));
    expect(states(events).slice(2)).toEqual(["started context", "done context", "cached top"]);
  });

  it("tell failures, and what was cancelled by them", async () => {
    const numbers = new NumberSolver();
    const work = gate();
    const slow = step("slow", { run: async (_, call) => work.wait(call).then(() => [5]) });
    const bad = step("bad", {
      run: async () => {
        await work.entered;
        throw new Error("exit code 1");
      },
    });
    const events: BuildEvent[] = [];
    const top = step("top", { inputs: [slow, bad] });
    await numbers.build(top, uncancelled, (event) => events.push(event)).catch(() => {});
    expect(states(events).filter((one) => !one.startsWith("planned"))).toEqual([
      "started slow",
      "started bad",
      "failed bad",
      "cancelled slow",
    ]);
    expect(events.find((event) => event.type === "step" && event.state === "failed")).toMatchObject(
      {
        error: "exit code 1",
      },
    );
  });

  it("of a step reach every job that waits for it", async () => {
    const numbers = new NumberSolver();
    const work = gate();
    const speaking = step("speaking", {
      run: async (_, call) => {
        await work.wait(call);
        call.emit({
          type: "log",
          step: call.step,
          stream: 1,
          data: new Uint8Array([65]),
          at: new Date(),
        });
        return [1];
      },
    });
    const heard: string[] = [];
    const hear = (who: string) => (event: BuildEvent) => {
      if (event.type === "log") heard.push(who);
    };
    const same = { ...speaking, digest: step("another name").digest };
    const builds = [
      numbers.build(speaking, uncancelled, hear("first")),
      numbers.build(speaking, uncancelled, hear("second")),
      numbers.build(same, uncancelled, hear("merged")),
    ];
    await work.entered;
    await new Promise(setImmediate);
    work.open();
    await Promise.all(builds);
    expect(heard).toEqual(["first", "second", "merged"]);
  });
});

describe("two solvers on one cache", () => {
  /** Turns for solvers of one process, as locks are for those of several. */
  function turns(): Turns {
    const limiters = new Map<string, Limiter>();
    return {
      async take(key, call) {
        const limiter = limiters.get(key) ?? new Limiter(1);
        limiters.set(key, limiter);
        return await limiter.acquire(call);
      },
    };
  }

  async function both(numbers: NumberSolver, top: Edge<NumberStep>, meanwhile: () => void) {
    const shared = turns();
    const results = [numbers.restart(shared), numbers.restart(shared)].map(async (solver, at) => {
      await using job = solver.job(`process ${at}`, () => {});
      return (await job.build(top, uncancelled)).value;
    });
    meanwhile();
    return Promise.all(results);
  }

  it("run a step once, with all its outputs, and the second loads it", async () => {
    const numbers = new NumberSolver();
    const { open, entered, wait } = gate();
    const slow = step("slow", {
      run: async (_, call) => {
        await wait(call);
        return [20, 30];
      },
    });
    const second: Edge<NumberStep> = { vertex: slow, output: 1 };
    const top = step("top", { inputs: [slow, second], run: ([a = 0, b = 0]) => [a + b] });
    const results = await both(numbers, { vertex: top, output: 0 }, () => {
      void entered.then(() => setTimeout(open, 20));
    });
    expect(results).toEqual([50, 50]);
    expect(numbers.taken("run")).toEqual(["run slow", "run top"]);
    expect(numbers.live.size).toBe(0);
  });

  it("run a step again that failed for the other", async () => {
    const numbers = new NumberSolver();
    const { open, entered, wait } = gate();
    let tries = 0;
    const flaky = step("flaky", {
      run: async (_, call) => {
        await wait(call);
        if (++tries === 1) throw new Error("not this time");
        return [7];
      },
    });
    const results = both(numbers, { vertex: flaky, output: 0 }, () => {
      void entered.then(() => setTimeout(open, 20));
    });
    await expect(results).rejects.toThrow("not this time");
    await expect.poll(() => tries).toBe(2);
    await expect.poll(() => numbers.live.size).toBe(0);
  });
});

describe("steps that use what one job's asking side alone has", () => {
  const two = async (apart: "lookup" | "work" | undefined) => {
    const numbers = new NumberSolver();
    const gates = [gate(), gate()];
    let runs = 0;
    const made = () =>
      step("login", {
        ...(apart ? { apart } : {}),
        run: async (_inputs, call) => {
          const mine = runs++;
          await gates[mine]?.wait(call);
          return [mine];
        },
      });
    const first = numbers.build(made(), uncancelled);
    await gates[0]?.entered;
    const second = numbers.build(made(), uncancelled);
    if (apart === "work") await gates[1]?.entered;
    for (const one of gates) one.open();
    const values = await Promise.all([first, second]);
    return { values, resolved: numbers.taken("map").length };
  };

  it("are run for each job that wants them at the same time", async () => {
    expect((await two("work")).values).toEqual([0, 1]);
  });

  it("are looked up for each, and then run once, where only the looking up is its own", async () => {
    expect((await two("lookup")).values).toEqual([0, 0]);
    expect((await two(undefined)).values).toEqual([0, 0]);
  });
});
