// What may be sent and received: windows, queues, patience, settings.
import { expect, it } from "vitest";
import { faultOfRequest, faultOfResponse, faultOfTrailers } from "./fields.ts";
import { FrameWriter } from "./frame-writer.ts";
import { costs, Patience } from "./patience.ts";
import { SendQueue } from "./send-queue.ts";
import { applySettings, settingsBefore } from "./settings.ts";
import { ReceiveWindow, SendWindow } from "./windows.ts";

it("a window is widened seldom, by all that was released", () => {
  const window = new ReceiveWindow(1000);
  expect(window.receive(1000)).toBe(true);
  expect([window.release(100), window.release(149), window.release(1), window.release(10)]).toEqual(
    [0, 0, 250, 0],
  );
  expect(window.receive(250)).toBe(true);
  expect(window.receive(1)).toBe(false);
});

it("a window may be less than nothing, but not beyond measure", () => {
  const window = new SendWindow(100);
  window.take(100);
  expect([window.widen(-50), window.left]).toEqual([true, -50]);
  expect(window.widen(2 ** 31 - 1 + 50)).toBe(true);
  expect(window.widen(1)).toBe(false);
});

it("a queue gives its bytes in order, in whatever parts", () => {
  const queue = new SendQueue();
  for (let at = 0; at < 200; at++) queue.push(Uint8Array.of(at, at));
  const frames = new FrameWriter();
  for (const size of [1, 2, 3, 300, 94]) queue.moveTo(frames, size);
  expect(queue.size).toBe(0);
  const sent = frames.take().flatMap((chunk) => [...chunk]);
  expect(sent).toEqual(Array.from({ length: 400 }, (_, at) => at >> 1));
});

it("patience ends, comes back with time, and is earned by data", () => {
  let now = 0;
  const patience = new Patience(() => now);
  for (let at = 0; at < 10_000; at++) patience.spend(costs.frame);
  expect(() => patience.spend(costs.frame)).toThrow("move nothing");
  now = 1000;
  for (let at = 0; at < 99; at++) patience.spend(costs.reset);
  expect(() => patience.spend(costs.reset)).toThrow("move nothing");
  // A side that pings once for each frame that it is sent is no nuisance.
  for (let at = 0; at < 100_000; at++) {
    patience.sent(10);
    patience.spend(costs.frame);
    patience.spend(costs.frame);
  }
});

it.each([
  [2, 2],
  [4, 2 ** 31],
  [5, 16_383],
  [5, 2 ** 24],
])("setting %s may not be %s", (id, value) => {
  expect(() => applySettings(settingsBefore(), [[id, value]])).toThrow(` of ${value}`);
});

const request = [":method", "POST", ":scheme", "http", ":path", "/", "te", "trailers"];

it.each([
  ["nothing", request, undefined],
  ["an upper-case name", [...request, "X", "y"], "a field's name"],
  ["a pseudo-field after others", [...request, ":authority", "a"], ":authority out of place"],
  ["a pseudo-field twice", [":method", "GET", ...request], ":method out of place"],
  ["a response's field", [":status", "200", ...request], ":status out of place"],
  ["a connection's field", [...request, "connection", "close"], "connection"],
  ["another te", [...request.slice(0, 6), "te", "gzip"], "te"],
  ["a line's end", [...request, "x", "a\nb"], "the value of x"],
  ["no path", request.slice(0, 4), "no path"],
])("%s is wrong with a request", (_what, fields, fault) => {
  expect(faultOfRequest(fields)?.slice(0, fault?.length)).toBe(fault);
});

it("responses have a status, and trailers no pseudo-fields", () => {
  expect(faultOfResponse([":status", "200"])).toBeUndefined();
  expect(faultOfResponse([":status", "20"])).toBe("no status");
  expect(faultOfResponse(["x", "y"])).toBe("no status");
  expect(faultOfTrailers(["grpc-status", "0"])).toBeUndefined();
  expect(faultOfTrailers([":status", "200"])).toBe(":status out of place");
});
