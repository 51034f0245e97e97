// What people see of builds: events in, text out, at several sizes and in every state.
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import type { BuildEvent, StepState } from "../../api/index.ts";
import { digestOf } from "../../base/index.ts";
import { createStyle, type Output } from "../report/index.ts";
import { asciiGlyphs, type FrameLook, finalFrame, liveFrame, unicodeGlyphs } from "./frame.ts";
import { openDisplay } from "./index.ts";
import { ProgressModel } from "./model.ts";
import { PlainDisplay } from "./plain.ts";
import { RawJsonDisplay } from "./rawjson.ts";
import { failureLines, warningBlock, warningLines } from "./summary.ts";
import { textWidth } from "./text-width.ts";
import { TtyDisplay } from "./tty.ts";

const golden = (name: string) => join(import.meta.dirname, "../../../test/golden/cli", name);
const style = createStyle(false);
const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms);

/** Events in the words of a story: time in milliseconds, step by name. */
const tell = {
  step: (ms: number, name: string, state: StepState, error?: string): BuildEvent => ({
    type: "step",
    step: digestOf(name),
    name,
    at: at(ms),
    state,
    ...(error === undefined ? {} : { error }),
  }),
  grouped: (ms: number, name: string, state: StepState): BuildEvent => ({
    type: "step",
    step: digestOf(name),
    name,
    at: at(ms),
    state,
    group: { id: "group", name: "[build 2/3] COPY a b" },
  }),
  log: (ms: number, name: string, text: string, stream: 1 | 2 = 1): BuildEvent => ({
    type: "log",
    step: digestOf(name),
    stream,
    data: new TextEncoder().encode(text),
    at: at(ms),
  }),
  progress: (
    ms: number,
    name: string,
    id: string,
    current: number,
    total?: number,
    done = false,
  ): BuildEvent => ({
    type: "progress",
    step: digestOf(name),
    id,
    at: at(ms),
    current,
    done,
    ...(total === undefined ? {} : { total }),
  }),
};

const layer = `sha256:${"12ab".repeat(16)}`;
const from = `[base 1/3] FROM docker.io/library/busybox:latest@${layer}`;
const make = "[linux/arm64 build 2/3] RUN make -j4 all install";
const story: readonly BuildEvent[] = [
  tell.step(0, "[internal] load build definition from Dockerfile", "started"),
  tell.progress(
    10,
    "[internal] load build definition from Dockerfile",
    "transferring dockerfile:",
    320,
    undefined,
    true,
  ),
  tell.step(20, "[internal] load build definition from Dockerfile", "done"),
  tell.step(20, make, "planned"),
  tell.step(20, "exporting to image", "planned"),
  tell.step(30, from, "started"),
  tell.progress(100, from, layer, 7_000_000, 28_000_000),
  tell.step(200, "[build 1/3] WORKDIR /src", "cached"),
  tell.step(300, make, "started"),
  tell.log(400, make, "cc -c a.c\ncc -c"),
  tell.log(500, make, " b.c\n"),
  tell.log(600, make, "warning: 日本語 and a \u001b[31mred\u001b[0m word\n", 2),
  tell.log(700, make, "10%\r50%\r99%"),
];

function collect(columns = 80, rows = 24): { out: Output; text: () => string } {
  let text = "";
  const out = {
    write: (chunk: string | Uint8Array) => {
      text += chunk;
    },
    isTerminal: true,
    columns,
    rows,
    style,
  };
  return { out, text: () => text };
}

function modelOf(events: readonly BuildEvent[]): ProgressModel {
  const model = new ProgressModel({ colored: false });
  for (const event of events) model.apply(event);
  return model;
}

function look(columns: number, rows = 40): FrameLook {
  return { columns, rows, style, glyphs: unicodeGlyphs, logRows: 6 };
}

const nowMs = at(2000).getTime();

describe("the live picture", () => {
  it.each([40, 80, 120])("at %d columns", async (columns) => {
    const lines = liveFrame(modelOf(story), nowMs, look(columns));
    expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(columns);
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(golden(`progress-${columns}.txt`));
  });

  it("counts what is planned, and ends with every step", () => {
    const ended = [
      ...story,
      tell.step(1200, from, "done"),
      tell.step(1500, make, "failed", "exit code: 2"),
    ];
    const lines = finalFrame(modelOf(ended), nowMs, look(60));
    expect(lines).toEqual([
      "[+] Building 2.0s (4/5) FAILED",
      " ✔ [internal] load build definition from Dockerfile     0.0s",
      " ✔ [base 1/3] FROM docker.io/library/busybox:latest@s…  1.2s",
      " ✔ [build 1/3] WORKDIR /src                           CACHED",
      " ✘ ERROR [linux/arm64 build 2/3] RUN make -j4 all ins…  1.2s",
    ]);
  });

  it("takes what still runs at the end for cancelled", () => {
    const model = modelOf(story);
    model.end();
    expect(model.lines.map(({ state }) => state)).toEqual([
      "done",
      "cancelled",
      "cached",
      "cancelled",
    ]);
  });

  it("never has more lines than there is room for", () => {
    const many = Array.from({ length: 100 }, (_, at) => [
      tell.step(at, `step ${at}`, "started"),
      tell.log(at, `step ${at}`, "a\nb\nc\nd\ne\nf\ng\nh\n"),
      ...(at % 2 === 0 ? [tell.step(at + 1, `step ${at}`, "done")] : []),
    ]).flat();
    for (let count = 1; count <= many.length; count += 7) {
      for (const rows of [2, 3, 5, 23, 60]) {
        const lines = liveFrame(modelOf(many.slice(0, count)), nowMs, look(80, rows));
        expect(lines.length, `${count} events in ${rows} rows`).toBeLessThanOrEqual(rows);
      }
    }
  });

  it("leaves out the oldest finished steps first, and says how many", () => {
    const events = [..."abcdef"].flatMap((name, at) => [
      tell.step(at, name, "started"),
      tell.step(10 + at, name, "done"),
    ]);
    const lines = liveFrame(
      modelOf([...events, tell.step(30, "g", "started")]),
      nowMs,
      look(40, 6),
    );
    expect(lines.map((line) => line.trim().split("  ")[0])).toEqual([
      "[+] Building 2.0s (6/7)",
      "… 3 finished",
      "✔ d",
      "✔ e",
      "✔ f",
      expect.stringMatching(/^. g$/),
    ]);
  });

  it("shares the room for output among the running steps", () => {
    const events = [..."abc"].flatMap((name) => [
      tell.step(0, name, "started"),
      tell.log(1, name, "1\n2\n3\n4\n5\n6\n7\n"),
    ]);
    const lines = liveFrame(modelOf(events), nowMs, look(40, 11));
    expect(lines.filter((line) => line.includes("│")).map((line) => line.trim())).toEqual(
      ["5", "6", "7", "6", "7", "6", "7"].map((text) => `│ ${text}`),
    );
  });

  it("can do without Unicode", () => {
    const text = liveFrame(modelOf(story), nowMs, { ...look(80), glyphs: asciiGlyphs }).join("\n");
    expect(text.replace("日本語", "")).toMatch(/^[\n -~]*$/);
  });
});

describe("a group of steps", () => {
  const events = [
    tell.grouped(0, "x", "started"),
    tell.grouped(5, "y", "started"),
    tell.grouped(10, "x", "cached"),
  ];
  it("is one line, and runs while one of them does", () => {
    expect(modelOf(events).lines.map(({ name, state }) => [name, state])).toEqual([
      ["[build 2/3] COPY a b", "started"],
    ]);
  });
  it("is cached when all of them are", () => {
    expect(modelOf([...events, tell.grouped(20, "y", "cached")]).lines[0]?.state).toBe("cached");
    expect(modelOf([...events, tell.grouped(20, "y", "done")]).lines[0]?.state).toBe("done");
  });
  it("can begin again after it seemed over", () => {
    const model = modelOf([
      ...events,
      tell.grouped(20, "y", "done"),
      tell.grouped(30, "z", "started"),
    ]);
    expect([model.lines.length, model.lines[0]?.state, model.lines[0]?.endedMs]).toEqual([
      1,
      "started",
      undefined,
    ]);
  });
});

describe("a transfer that begins after its step had ended", () => {
  const events = [
    tell.step(0, from, "started"),
    tell.step(5, from, "done"),
    tell.progress(500, from, layer, 0, 9),
  ];
  it("makes the step run again until it is done", () => {
    expect(modelOf(events).lines[0]).toMatchObject({ state: "started", endedMs: undefined });
    const model = modelOf([...events, tell.progress(800, from, layer, 9, 9, true)]);
    expect(model.lines[0]).toMatchObject({ state: "done", endedMs: at(800).getTime() });
  });
  it("is told as one more piece of news of the step", () => {
    const { out, text } = collect();
    let now = 0;
    const display = new PlainDisplay(out, () => now);
    for (const event of [...events, tell.progress(800, from, layer, 9, 9, true)]) {
      now = event.at.getTime();
      display.tick();
      display.event(event);
    }
    display.end();
    expect(text()).toBe(`#1 ${from}\n#1 DONE 0.0s\n#1 ${layer} 9B / 9B 0.3s done\n#1 DONE 0.8s\n`);
  });
});

test("output that tries to steer the terminal is only text", () => {
  const evil = modelOf([
    tell.step(0, "a\u001b[2Jb", "started"),
    tell.log(1, "a\u001b[2Jb", "\u001b]0;title\u0007x\u001b[1A\u009b2Jy\n"),
  ]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
  expect(liveFrame(evil, nowMs, look(80)).join("")).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
});

test("only the last lines of endless output are kept", () => {
  const events = [
    tell.step(0, "a", "started"),
    tell.log(1, "a", Array.from({ length: 1000 }, (_, n) => `${n}\n`).join("")),
  ];
  const kept = modelOf([...events, tell.log(2, "a", "z".repeat(100_000))]).lines[0];
  expect([kept?.log.length, kept?.log.at(-13)?.text]).toEqual([200, "999"]);
});

describe("plain progress", () => {
  function plain(events: readonly BuildEvent[]): string {
    const { out, text } = collect();
    let now = 0;
    const display = new PlainDisplay(out, () => now);
    for (const event of events) {
      now = event.at.getTime();
      display.event(event);
      display.tick();
    }
    display.end();
    return text();
  }

  it("tells under its heading of warnings while their step speaks", () => {
    const { out, text } = collect();
    const display = new PlainDisplay(out, () => 0, { heading: "building with x" });
    const warning = { message: "m", rule: "R", at: { file: "Dockerfile", line: 2 } };
    for (const event of [
      tell.step(0, "a", "started"),
      { type: "warning", step: digestOf("a"), warning, at: at(1) } as const,
      tell.step(2, "a", "done"),
    ])
      display.event(event);
    display.end();
    expect(text()).toBe("#0 building with x\n\n#1 a\n#1 WARN: R: m (line 2)\n#1 DONE 0.0s\n");
  });

  it("tells the story as buildx does", async () => {
    const ended = [
      ...story,
      tell.progress(900, from, layer, 28_000_000, 28_000_000, true),
      tell.step(1000, from, "done"),
      tell.step(1500, make, "failed", "exit code: 2"),
      tell.step(1600, "other", "started"),
      tell.step(1700, "other", "cancelled"),
    ];
    await expect(plain(ended)).toMatchFileSnapshot(golden("progress-plain.txt"));
  });

  it("tells of an end once, after all that the step said, however late a daemon tells it", () => {
    const text = plain([
      tell.step(0, "a", "started"),
      tell.step(1, "a", "done"),
      tell.step(2, "a", "started"),
      tell.step(3, "b", "started"),
      tell.progress(4, "a", "transferring:", 5, 5, true),
      tell.step(5, "a", "done"),
      tell.log(6, "a", "late\n"),
    ]);
    expect(text).toBe("#1 a\n#1 transferring: 5B / 5B done\n#1 0.006 late\n#1 DONE 0.0s\n\n#2 b\n");
  });

  it("lets one step speak at a time", () => {
    const text = plain([
      tell.step(0, "a", "started"),
      tell.log(1, "a", "a1\n"),
      tell.step(2, "b", "started"),
      tell.log(3, "b", "b1\n"),
      tell.log(4, "a", "a2\n"),
      tell.step(5, "a", "done"),
      tell.step(6, "b", "done"),
    ]);
    expect(text).toBe(
      "#1 a\n#1 0.001 a1\n#1 0.004 a2\n#1 DONE 0.0s\n\n#2 b\n#2 0.001 b1\n#2 DONE 0.0s\n",
    );
  });

  it("hands on the word when a step is silent, and says so", () => {
    const text = plain([
      tell.step(0, "a", "started"),
      tell.step(1, "b", "started"),
      tell.log(1500, "b", "b1\n"),
      tell.step(1600, "b", "done"),
      tell.step(1700, "a", "done"),
    ]);
    expect(text).toBe("#1 a\n#1 ...\n\n#2 b\n#2 1.499 b1\n#2 DONE 1.6s\n\n#1 a\n#1 DONE 1.7s\n");
  });

  it("interrupts a step that never stops talking", () => {
    const chatter = Array.from({ length: 40 }, (_, n) => tell.log(n * 500, "a", `${n}\n`));
    const text = plain([
      tell.step(0, "a", "started"),
      tell.step(0, "b", "started"),
      tell.log(1, "b", "here\n"),
      ...chatter,
    ]);
    expect(text.indexOf("#2 0.001 here")).toBeGreaterThan(0);
    expect(text.indexOf("#2 0.001 here")).toBeLessThan(text.indexOf("#1 11.000 22"));
  });
});

describe("the terminal display", () => {
  it("hides the cursor, redraws in place, and gives the cursor back", () => {
    const { out, text } = collect();
    let exits: (() => void)[] = [];
    const atExit = (step: () => void) => {
      exits.push(step);
      return () => {
        exits = exits.filter((other) => other !== step);
      };
    };
    const display = new TtyDisplay(out, { now: () => nowMs, unicode: true, logRows: 6, atExit });
    for (const event of story) display.event(event);
    display.tick();
    const lines = text().split("\n").length - 1;
    display.tick();
    expect(text()).toContain(`\u001b[${lines}A`);
    expect(exits.length).toBe(1);
    display.end();
    expect([
      text().startsWith("\u001b[?25l"),
      text().endsWith("\u001b[?25h"),
      exits.length,
    ]).toEqual([true, true, 0]);
  });

  it("writes nothing but the cursor when nothing happened", () => {
    const { out, text } = collect();
    const display = new TtyDisplay(out, {
      now: () => nowMs,
      unicode: true,
      logRows: 6,
      atExit: () => () => {},
    });
    display.tick();
    display.end();
    expect(text()).toBe("\u001b[?25l\u001b[?25h");
  });
});

test("raw JSON has BuildKit's fields", async () => {
  const { out, text } = collect();
  const display = new RawJsonDisplay(out);
  const warning: BuildEvent = {
    type: "warning",
    step: digestOf(make),
    at: at(900),
    warning: {
      message: "m",
      detail: ["d"],
      url: "u",
      at: { file: "Dockerfile", line: 2, text: "FROM a\nRUN b\n" },
    },
  };
  for (const event of [...story, warning, tell.step(1500, make, "failed", "exit code: 2")])
    display.event(event);
  const documents = text()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(documents.every((document) => Object.keys(document).length === 1)).toBe(true);
  await expect(text()).toMatchFileSnapshot(golden("progress-rawjson.txt"));
});

describe("choosing a display", () => {
  const open = async (mode: "auto" | "tty" | "plain", isTerminal: boolean, env = {}) => {
    const options = { now: () => at(0), env, atExit: () => () => {} };
    return (await openDisplay(mode, { ...collect().out, isTerminal }, options)).mode;
  };
  it("is live on a terminal and plain elsewhere", async () => {
    expect(await open("auto", true)).toBe("tty");
    expect(await open("auto", false)).toBe("plain");
    expect(await open("auto", true, { TERM: "dumb" })).toBe("plain");
    expect(await open("plain", true)).toBe("plain");
  });
});

describe("the words afterwards", () => {
  it("repeat what a failed step said last", () => {
    const model = modelOf([...story, tell.step(1500, make, "failed", "exit code: 2")]);
    expect(failureLines(model, 3, style)).toEqual([
      "------",
      ` > ${make}:`,
      "… 1 more above",
      "0.200 cc -c b.c",
      "0.300 warning: 日本語 and a red word",
      "1.200 99%",
      "------",
    ]);
    expect(failureLines(modelOf(story), 3, style)).toEqual([]);
    const silent = modelOf([
      tell.step(1, "COPY", "started"),
      tell.step(2, "COPY", "failed", "none"),
    ]);
    expect(failureLines(silent, 3, style)).toEqual([]);
    expect(failureLines(silent, 3, style, { silent: true })).toEqual([
      "------",
      " > COPY:",
      "------",
    ]);
  });

  it("tell each warning once", () => {
    const warning = {
      message: "m",
      rule: "R",
      url: "u",
      at: { file: "Dockerfile", line: 2, text: "FROM a\nRUN b\n" },
    };
    const model = modelOf([1, 2].map((ms) => ({ type: "warning", warning, at: at(ms) })));
    expect(warningLines(model.warnings, style)).toEqual([
      "",
      " 1 warning found (use --debug to expand):",
      " - R: m (Dockerfile:2)",
    ]);
    expect(warningBlock(warning, style)).toEqual([
      "",
      "WARNING: R - u",
      "m",
      "Dockerfile:2",
      "--------------------",
      "   1 |     FROM a",
      "   2 | >>> RUN b",
      "--------------------",
    ]);
  });
});

describe("variables of the reference's clients", () => {
  const options = (env: Readonly<Record<string, string>>) => ({
    now: () => at(0),
    env,
    atExit: () => () => {},
  });

  it.each([
    [{}, 80],
    [{ TTY_DISPLAY_RATE: "500" }, 500],
    [{ TTY_DISPLAY_RATE: "1" }, 10],
    [{ TTY_DISPLAY_RATE: "0" }, 80],
    [{ TTY_DISPLAY_RATE: "-5" }, 80],
    [{ TTY_DISPLAY_RATE: "often" }, 80],
  ])("%o redraws every %i ms", async (env, tickMs) => {
    const { display } = await openDisplay("tty", collect().out, options(env));
    expect(display.tickMs).toBe(tickMs);
    display.end();
  });

  it.each([
    [{}, `[1/1] RUN ${"x".repeat(90)}`],
    [{ PROGRESS_NO_TRUNC: "1" }, `[1/1] RUN ${"x".repeat(90)}`],
    [{ PROGRESS_NO_TRUNC: "0" }, `[1/1] RUN ${"x".repeat(62)}...`],
  ])("%o prints long names as they say", async (env, shown) => {
    const { out, text } = collect();
    const { display } = await openDisplay("plain", out, options(env));
    display.event(tell.step(0, `[1/1] RUN ${"x".repeat(90)}`, "started"));
    display.end();
    expect(text()).toBe(`#1 ${shown}\n`);
  });
});
