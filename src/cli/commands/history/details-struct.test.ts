// Templates see every field of a build's details.
import { expect, it } from "vitest";
import { parseTemplate } from "../../../formats/template/index.ts";
import { detailsStruct } from "./details-struct.ts";

const details = {
  Ref: "r",
  StartedAt: "2026-01-02T03:04:05Z",
  Duration: 5,
  Status: "completed",
  NumCompletedSteps: 2,
  NumTotalSteps: 2,
  NumCachedSteps: 0,
};

it.each([
  ["{{.Ref}} {{.Status}} {{.NumTotalSteps}}", "r completed 2"],
  ["[{{.Name}}] {{.Config.Network}} {{.BuildArgs}}", "[]  []"],
])("%s of a build with few details", (text, said) => {
  expect(parseTemplate(text).execute(detailsStruct(details))).toBe(said);
});

it("settings that are known are told, and fields that do not exist refused", () => {
  const struct = detailsStruct({ ...details, Config: { Network: "host" } });
  expect(parseTemplate("{{.Config.Network}}").execute(struct)).toBe("host");
  expect(() => parseTemplate("{{.Nope}}").execute(struct)).toThrow("no field .Nope");
});
