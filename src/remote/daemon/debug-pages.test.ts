// What a daemon tells at its debug address.
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type FiguresServer, serveFigures } from "./debug-server.ts";
import { Figures } from "./figures.ts";
import { encodeProfile } from "./pprof.ts";

let server: FiguresServer;
beforeEach(async () => {
  server = await serveFigures("127.0.0.1:0", new Figures());
});
afterEach(async () => await server[Symbol.asyncDispose]());

const ask = (path: string) => fetch(`http://${server.address}${path}`);

it.each([
  ["/metrics", "# TYPE kiln_connections gauge"],
  ["/debug/vars", '"memstats"'],
  ["/debug/gc", ""],
  ["/debug/pprof", "/debug/pprof/heap"],
  ["/debug/pprof/", "/debug/pprof/profile"],
  ["/debug/pprof/cmdline", process.execPath],
])("%s is there", async (path, text) => {
  const response = await ask(path);
  expect(response.status).toBe(200);
  expect(await response.text()).toContain(text);
});

it("another page is none, and says which there are", async () => {
  const response = await ask("/debug/nope");
  expect(response.status).toBe(404);
  expect(await response.text()).toContain("/debug/vars");
});

it.each(["0", "-1", "301", "x", "1e9"])("a profile of %s seconds is refused", async (seconds) => {
  expect((await ask(`/debug/pprof/profile?seconds=${seconds}`)).status).toBe(400);
});

it.each(["profile", "heap"])(
  "a %s names functions of this process; one at a time",
  async (kind) => {
    const asked = ask(`/debug/pprof/${kind}?seconds=2`);
    const kept: string[][] = [];
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await ask("/debug/pprof/heap?seconds=1")).status).toBe(409);
    for (let round = 0; round < 100; round++) kept.push(busyHands());
    const packed = await (await asked).arrayBuffer();
    expect(gunzipSync(packed).toString("latin1")).toContain("busyHands");
    expect(kept).toHaveLength(100);
  },
);

function busyHands(): string[] {
  return Array.from({ length: 20_000 }, (_, at) => `${at} of many`);
}

it("a profile is what pprof reads", () => {
  const frame = { functionName: "f", url: "a.js", lineNumber: 4 };
  const outer = { functionName: "", url: "a.js", lineNumber: 0 };
  const packed = encodeProfile({
    types: [["samples", "count"]],
    samples: [{ stack: [frame, outer], values: [300] }],
    startedAt: 0,
    duration: 0,
  });
  const plain = gunzipSync(packed);
  const hex = plain.toString("hex");
  // sample_type { type: 1 unit: 2 }; sample { location_id: [1, 2] value: [300] } …
  expect(hex.indexOf("0a0408")).toBe(0);
  expect(hex).toContain("12080a02010212" + "02ac02");
  // location { id: 1 line { function_id: 1 line: 5 } } and its function's name and file.
  expect(hex).toContain("22080801" + "220408011005");
  expect(plain.toString("latin1")).toContain("(anonymous)");
});
