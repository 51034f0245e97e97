// Requests from the wire: which of them leave the build to their client.
import { expect, it } from "vitest";
import { control, pb } from "../../formats/proto/index.ts";
import { buildRequestOf } from "./solve-request.ts";

const requestWith = (fields: Partial<control.SolveRequest>) =>
  buildRequestOf(control.SolveRequest.create({ Ref: "r", ...fields }));

it("a definition without ops is scratch, and none leaves the build to the client", () => {
  expect(requestWith({ Definition: pb.Definition.create({}) }).definition).toEqual({ ops: [] });
  expect(requestWith({})).not.toHaveProperty("definition");
  const named = requestWith({ Definition: pb.Definition.create({}), Frontend: "dockerfile.v0" });
  expect(named).not.toHaveProperty("definition");
});
