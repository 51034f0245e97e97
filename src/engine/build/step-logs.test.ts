// Logs of steps on disk: whole, named, told of where a step failed, and not for ever.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BuildEvent, StepState } from "../../api/index.ts";
import { digestOf } from "../../base/index.ts";
import { StepLogs } from "./step-logs.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-logs-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = new Date(0);
const said = (name: string, text: string): BuildEvent => ({
  type: "log",
  step: digestOf(name),
  stream: 1,
  data: new TextEncoder().encode(text),
  at,
});
const state = (name: string, state: StepState): BuildEvent => ({
  type: "step",
  step: digestOf(name),
  name,
  state,
  at,
});

describe("logs of a build", () => {
  it("hold all that each step said, under the step's number and name", () => {
    const logs = new StepLogs(root, "ref1");
    const quiet = "[a 1/2] RUN true";
    const [one, two] = ["[a 2/2] RUN echo ../../x", "[b 1/1] RUN make"];
    for (const name of [quiet, one, two]) logs.event(state(name, "started"));
    const long = "x".repeat(3 << 20);
    for (const event of [said(one, "begin\n"), said(two, "other"), said(one, long)])
      logs.event(event);
    expect(logs.event(state(quiet, "failed"))).toEqual(state(quiet, "failed"));
    expect(logs.event(state(two, "done"))).toEqual(state(two, "done"));
    const path = join(root, "ref1", "2-a-2-2-run-echo-x.log");
    expect(logs.event(state(one, "failed"))).toEqual({ ...state(one, "failed"), log: path });
    logs[Symbol.dispose]();
    expect(readFileSync(path, "utf8")).toBe(`begin\n${long}`);
    expect(readdirSync(join(root, "ref1")).sort()).toEqual([
      "2-a-2-2-run-echo-x.log",
      "3-b-1-1-run-make.log",
    ]);
  });

  it("stay inside their directory whatever the build is called", () => {
    const logs = new StepLogs(join(root, "logs"), "../../outside");
    logs.event(said("x", "text"));
    logs[Symbol.dispose]();
    expect(readdirSync(root)).toEqual(["logs"]);
    expect(readdirSync(join(root, "logs"))[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it("that cannot be written stop nothing", () => {
    writeFileSync(join(root, "logs"), "no directory");
    const logs = new StepLogs(join(root, "logs"), "ref");
    logs.event(state("x", "started"));
    logs.event(said("x", "text"));
    expect(logs.event(state("x", "failed"))).toEqual(state("x", "failed"));
    logs[Symbol.dispose]();
  });

  it("make room for new ones, the oldest first, and never go themselves", () => {
    const old = (name: string, bytes: number, seconds: number) => {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, "1-x.log"), "");
      truncateSync(join(root, name, "1-x.log"), bytes);
      utimesSync(join(root, name), seconds, seconds);
    };
    old("oldest", 1, 1000);
    old("large", 600 << 20, 2000);
    old("newer", 1, 3000);
    const logs = new StepLogs(root, "now");
    logs.event(said("x", "text"));
    logs[Symbol.dispose]();
    expect(["now", "newer", "large", "oldest"].map((name) => existsSync(join(root, name)))).toEqual(
      [true, true, false, false],
    );
  });
});
