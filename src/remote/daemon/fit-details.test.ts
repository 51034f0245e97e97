// Details of errors in headers: what is cut, and what stays.
import { Buffer } from "node:buffer";
import { expect, it } from "vitest";
import { StatusError } from "../grpc/index.ts";
import { fitDetails } from "./fit-details.ts";

const detail = (name: string, value: unknown) => ({
  typeUrl: `github.com/moby/buildkit/errdefs.${name}+json`,
  value: new TextEncoder().encode(JSON.stringify(value)),
});
const read = ({ value }: { readonly value: Uint8Array }) =>
  JSON.parse(new TextDecoder().decode(value));
const base64 = (text: string) => Buffer.from(text).toString("base64");

it("leaves details alone that fit", () => {
  const status = new StatusError(2, "failed", [detail("Vertex", { digest: "sha256:1" })]);
  expect(fitDetails(status)).toBe(status);
});

it("keeps the lines around the place, with their numbers", () => {
  const lines = Array.from({ length: 2000 }, (_, at) => `line ${at + 1} ${"x".repeat(50)}`);
  const info = { filename: "Dockerfile", data: base64(lines.join("\n")), language: "Dockerfile" };
  const ranges = [{ start: { line: 1000 }, end: { line: 1002 } }];
  const [vertex, source] = fitDetails(
    new StatusError(2, "failed", [
      detail("Vertex", { digest: "sha256:1" }),
      detail("Source", { info, ranges }),
    ]),
  ).details.map(read);
  expect(vertex).toEqual({ digest: "sha256:1" });
  expect(source.ranges).toEqual(ranges);
  const kept = Buffer.from(source.info.data, "base64").toString().split("\n");
  expect(kept[999]).toBe(lines[999]);
  expect(kept[986]).toBe("");
  expect(kept[987]).toBe(lines[987]);
  expect(kept).toHaveLength(1014);
});

it("cuts long commands, and keeps what containers are made of", () => {
  const mountIDs = ["one", "two"];
  const op = { exec: { meta: { args: ["sh", "-c", "x".repeat(100_000)] }, mounts: [] } };
  const [solve] = fitDetails(
    new StatusError(2, "failed", [detail("Solve", { mountIDs, op })]),
  ).details.map(read);
  expect(solve.mountIDs).toEqual(mountIDs);
  expect(solve.op.exec.meta.args[2]).toHaveLength(2048);
});

it("leaves out the largest that still does not fit", () => {
  const many = { inputIDs: Array.from({ length: 20_000 }, (_, at) => String(at)) };
  const details = [detail("Solve", many), detail("Vertex", { digest: "sha256:1" })];
  expect(fitDetails(new StatusError(2, "failed", details)).details).toEqual([details[1]]);
});
