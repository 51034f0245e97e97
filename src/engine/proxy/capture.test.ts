// What is told of a step's requests.
import { expect, it } from "vitest";
import { digestOf } from "../../base/index.ts";
import { Capture } from "./capture.ts";

it("writes BuildKit's lines, with the reason below what was refused", () => {
  const capture = new Capture();
  expect(capture.summary).toBeUndefined();
  capture.request({ method: "GET", url: "https://a/", status: 200 });
  capture.request({ method: "PUT", url: "https://b/", status: 403, why: "not here" });
  expect(capture.summary).toBe(
    "proxy network requests:\n- GET https://a/ -> 200\n- PUT https://b/ -> 403\n  not here\n",
  );
});

it("lets URLs that led somewhere stand for what was there, unless they lead in a circle", () => {
  const capture = new Capture();
  const moved = (url: string, redirect: string) =>
    capture.request({ method: "GET", url, status: 302, redirect });
  moved("https://a/", "https://b/");
  moved("https://b/", "https://c/");
  moved("https://x/", "https://y/");
  moved("https://y/", "https://x/");
  const digest = digestOf("file");
  capture.material("https://c/", digest);
  const found = capture.fetched.materials.map(({ url }) => url).sort();
  expect(found).toEqual(["https://a/", "https://b/", "https://c/"]);
  expect(new Set(capture.fetched.materials.map((one) => one.digest))).toEqual(new Set([digest]));
});
