// Which session a frontend is told to take the context from.
import { expect, it } from "vitest";
import type { Session } from "../../api/index.ts";
import { type Call, uncancelled } from "../../base/index.ts";
import { ownContexts } from "./context-sessions.ts";

const second = { sharedKey: "second" } as Session;

function setUp() {
  const opened: Session[] = [];
  const session = { peer: (id: string) => (id === "context-2" ? second : undefined) } as Session;
  const open = async (other: Session, _call: Call) => `id${opened.push(other)}`;
  return { attrs: ownContexts(session, open), opened };
}

it("the usual context, and sessions that are not known here, are left as they are", async () => {
  const { attrs, opened } = setUp();
  for (const one of [{ filename: "x" }, { "local-sessionid:context": "elsewhere" }])
    expect(await attrs(one, uncancelled)).toBe(one);
  expect(opened).toEqual([]);
});

it("another one is opened once, and named as the builder knows it", async () => {
  const { attrs, opened } = setUp();
  const wanted = { "local-sessionid:context": "context-2", filename: "x" };
  const expected = { "local-sessionid:context": "id1", filename: "x" };
  const both = [attrs(wanted, uncancelled), attrs(wanted, uncancelled)];
  expect(await Promise.all(both)).toEqual([expected, expected]);
  expect(opened).toEqual([second]);
});
