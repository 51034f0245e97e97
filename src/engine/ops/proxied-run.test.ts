// Processes behind a proxy: what their log and their failure tell.
import { expect, it } from "vitest";
import type { BuildEvent, StepCall } from "../../api/index.ts";
import { digestOf, KilnError } from "../../base/index.ts";
import type { ProcessSpec } from "../executor/index.ts";
import type { BuildProxy, ProcessProxy } from "../proxy/index.ts";
import { runProxied } from "./proxied-run.ts";

const spec: ProcessSpec = {
  args: ["x"],
  env: [],
  cwd: "/",
  network: "default",
  security: "sandbox",
  platform: { os: "linux", architecture: "amd64" },
};

function proxyWith(broken?: KilnError): BuildProxy {
  const own: ProcessProxy = {
    authority: "",
    serve: () => ({ [Symbol.asyncDispose]: async () => {} }),
    summary: "proxy network requests:\n- GET http://x/ -> 200\n",
    fetched: { materials: [], incomplete: [] },
    check() {
      if (broken) throw broken;
    },
  };
  return { forProcess: async () => own };
}

function call(events: BuildEvent[]): StepCall {
  const { signal } = new AbortController();
  return { signal, step: digestOf("step"), emit: (event) => void events.push(event) };
}

const wrong = new KilnError("CHECKSUM_MISMATCH", "bent");

it("tells of requests also when the process fails, and of what it got wrong before that", async () => {
  const events: BuildEvent[] = [];
  const fail = () => Promise.reject(new KilnError("PROCESS_FAILED", "exit code 1"));
  await expect(runProxied(spec, proxyWith(), fail, call(events))).rejects.toThrow("exit code 1");
  await expect(runProxied(spec, proxyWith(wrong), fail, call(events))).rejects.toBe(wrong);
  expect(events.map(({ type }) => type)).toEqual(["log", "log"]);
});

it("fails processes that do not mind what they got", async () => {
  const run = async () => {};
  await expect(runProxied(spec, proxyWith(wrong), run, call([]))).rejects.toBe(wrong);
  const fetched = await runProxied(spec, proxyWith(), run, call([]));
  expect(fetched).toEqual({ materials: [], incomplete: [] });
});

it("leaves processes alone that have no network, or no proxy", async () => {
  const seen: ProcessSpec[] = [];
  const run = async (one: ProcessSpec) => void seen.push(one);
  const events: BuildEvent[] = [];
  const none = { ...spec, network: "none" } as const;
  expect(await runProxied(none, proxyWith(wrong), run, call(events))).toBeUndefined();
  expect(await runProxied(spec, undefined, run, call(events))).toBeUndefined();
  expect(seen).toEqual([none, spec]);
  expect(events).toEqual([]);
});
