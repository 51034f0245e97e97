// What a daemon says becomes the events that a build in this process would tell.
import { expect, it } from "vitest";
import { control, pb } from "../../formats/proto/index.ts";
import { StatusReader } from "./status.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

it.each([
  [
    "StageNameCasing: Stage name 'A' should be lowercase (line 2)",
    "StageNameCasing",
    "Stage name 'A' should be lowercase",
  ],
  ["StageNameCasing: no line", "StageNameCasing", "no line"],
  ["something else: of a frontend (line 2)", undefined, "something else: of a frontend (line 2)"],
])("a check's warning names its rule and its line once: %s", (short, rule, message) => {
  const info = pb.SourceInfo.create({
    filename: "Dockerfile",
    data: bytes("FROM a\nFROM b AS A\n"),
  });
  const ranges = [{ start: { line: 2, character: 0 }, end: { line: 2, character: 0 } }];
  const warning = control.VertexWarning.create({ short: bytes(short), info, ranges, level: 1 });
  const response = control.StatusResponse.create({ warnings: [warning] });
  const [event] = [...new StatusReader(() => new Date(0)).events(response)];
  expect(event).toMatchObject({ type: "warning", warning: { message, at: { line: 2 } } });
  expect(event?.type === "warning" ? event.warning.rule : "none").toBe(rule);
});

it("what a step says comes before its end, also where one answer tells of both", () => {
  const vertex = `sha256:${"a".repeat(64)}`;
  const [started, completed] = [new Date(1000), new Date(2000)];
  const response = control.StatusResponse.create({
    vertexes: [
      { digest: vertex, name: "again", started, completed },
      { digest: vertex, name: "again", started },
      { digest: vertex, name: "again", started, completed },
    ].map((one) => control.Vertex.create(one)),
    statuses: [control.VertexStatus.create({ vertex, ID: "transferring", completed })],
    logs: [control.VertexLog.create({ vertex, stream: 1, msg: bytes("text") })],
  });
  const events = [...new StatusReader(() => new Date(0)).events(response)];
  expect(events.map((event) => (event.type === "step" ? event.state : event.type))).toEqual([
    "started",
    "done",
    "started",
    "progress",
    "log",
    "done",
  ]);
});
