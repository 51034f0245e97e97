// The first step of a bake in buildx's place.
import { expect, it } from "vitest";
import type { BuildEvent } from "../../../api/index.ts";
import { tellDefinitions } from "./definitions-step.ts";

function told(files: Parameters<typeof tellDefinitions>[1]["files"], named: boolean) {
  const events: BuildEvent[] = [];
  const display = { event: (event: BuildEvent) => void events.push(event), end: () => undefined };
  tellDefinitions(display, { files, named }, new Date(0));
  return events.map((event) => (event.type === "step" ? event.name : "id" in event && event.id));
}

it("names what was read, and where its names came from", () => {
  const name = "[internal] load local bake definitions";
  const files = [
    { name: "a.hcl", size: 5 },
    { name: "-", size: 1 },
  ];
  expect(told(files, false)).toEqual([name, "reading a.hcl", "reading from stdin", name]);
  expect(told([], true)[0]).toBe(`${name} from BUILDX_BAKE_FILE env`);
});
