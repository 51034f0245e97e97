// Which session a frontend is told to take the context from.
import { expect, it } from "vitest";
import type { Session, SharedFiles } from "../../api/index.ts";
import { type Call, uncancelled } from "../../base/index.ts";
import { ownContexts } from "./context-sessions.ts";

const places: Readonly<Record<string, string>> = { context: "/a", "context-2": "/b" };

function setUp() {
  const opened: Session[] = [];
  const asked: string[] = [];
  const session = {
    sharedKey: "key",
    directory: (name: string) => places[name],
    files(name: string): SharedFiles {
      asked.push(name);
      return {} as SharedFiles;
    },
  } as unknown as Session;
  const open = async (other: Session, _call: Call) => `id${opened.push(other)}`;
  return { attrs: ownContexts(session, open), opened, asked };
}

it("the usual context, and addresses, are left as they are", async () => {
  const { attrs, opened } = setUp();
  const unchanged = [
    { filename: "x" },
    { contextkey: "context" },
    { contextkey: "where", where: "https://example.com/a.git" },
    { contextkey: "none" },
  ];
  for (const one of unchanged) expect(await attrs(one, uncancelled)).toBe(one);
  expect(opened).toEqual([]);
});

it("another directory is the context of a session of its own, which is opened once", async () => {
  const { attrs, opened, asked } = setUp();
  const wanted = { contextkey: "context-2", filename: "x" };
  const expected = { "local-sessionid:context": "id1", filename: "x" };
  const both = [attrs(wanted, uncancelled), attrs(wanted, uncancelled)];
  expect(await Promise.all(both)).toEqual([expected, expected]);
  const [other] = opened;
  expect(other?.directory("context")).toBe("/b");
  other?.files("context", {}, uncancelled);
  other?.files("dockerfile", {}, uncancelled);
  expect(asked).toEqual(["context-2", "dockerfile"]);
  // Files of another directory may have the same names, sizes and times.
  expect(other?.sharedKey).not.toBe("key");
});
