// A step's output on the wire ends where the reference ends it.
import { expect, it } from "vitest";
import { digestOf } from "../../base/index.ts";
import { control } from "../../formats/proto/index.ts";
import { WireEvents } from "./wire-events.ts";

const step = digestOf("a step");
const other = digestOf("another step");

function logged(wire: WireEvents): string {
  const bytes = wire.take();
  if (!bytes) return "";
  const { logs } = control.StatusResponse.decode(bytes);
  return logs.map(({ msg }) => new TextDecoder().decode(msg)).join("");
}

it("clips what a step says beyond the limit, once and with a word", () => {
  const wire = new WireEvents(10);
  const say = (text: string, of = step) =>
    wire.add({
      type: "log",
      step: of,
      stream: 1,
      data: new TextEncoder().encode(text),
      at: new Date(0),
    });
  say("0123456");
  say("789abcdef");
  say("more");
  expect(logged(wire)).toBe("0123456789\n[output clipped, log limit 10B reached]\n");
  say("and more");
  expect(logged(wire)).toBe("");
  say("of another", other);
  expect(logged(wire)).toBe("of another");
});
