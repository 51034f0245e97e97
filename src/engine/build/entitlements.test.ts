import { expect, it } from "vitest";
import { KilnError } from "../../base/index.ts";
import type { ExecOp, LlbGraph } from "../../formats/llb/index.ts";
import {
  allEntitlements,
  checkGraph,
  checkPrivileges,
  type Entitlement,
  grantEntitlements,
} from "./entitlements.ts";

function grants(...words: Entitlement[]): ReadonlySet<Entitlement> {
  return new Set(words);
}

function graphOf(...ops: Partial<ExecOp>[]): LlbGraph {
  const plain = { kind: "exec", network: "sandbox", security: "sandbox", devices: [] };
  const file = { filename: "Dockerfile", data: new TextEncoder().encode("FROM x\nRUN a\nRUN b\n") };
  const vertices = ops.map((op, index) => {
    const at = { line: index + 2, character: 0 };
    return {
      name: `step ${index}`,
      op: { ...plain, ...op },
      locations: [{ file, ranges: [{ start: at, end: at }] }],
    };
  });
  return { vertices } as unknown as LlbGraph;
}

function failureOf(work: () => unknown): KilnError {
  try {
    work();
  } catch (error) {
    if (error instanceof KilnError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

it.each([
  [{ network: "host" }, "network.host"],
  [{ security: "insecure" }, "security.insecure"],
  [{ devices: [{ name: "gpu", optional: true }] }, "device"],
  // No value may mean less than the most that there is (GHSA-7236-3392-c5c6).
  [{ network: 7 }, "network.host"],
  [{ security: 2 }, "security.insecure"],
  [{ security: "" }, "security.insecure"],
] as const)("a step with %j needs %s", (op, needed) => {
  const graph = graphOf(op as Partial<ExecOp>);
  const others = allEntitlements.filter((one) => one !== needed);
  const error = failureOf(() => checkGraph(graph, grants(...others)));
  expect(error.code).toBe("ENTITLEMENT_MISSING");
  expect(error.hint).toContain(`--allow ${needed}`);
  expect(error.at).toMatchObject({ file: "Dockerfile", line: 2 });
  expect(() => checkGraph(graph, grants(needed))).not.toThrow();
});

it("asks nothing of steps in the sandbox, and of ops that start no process", () => {
  const copy = { kind: "file" } as unknown as Partial<ExecOp>;
  const graph = graphOf({ network: "none" }, {}, copy);
  expect(() => checkGraph(graph, grants())).not.toThrow();
});

it("tells all refused steps at once, each with its line", () => {
  const error = failureOf(() =>
    checkGraph(graphOf({ network: "host" }, { network: "host", security: "insecure" }), grants()),
  );
  expect(error.at?.line).toBe(2);
  expect(error.others.map(({ at, hint }) => [at?.line, hint])).toEqual([
    [3, "Add --allow network.host --allow security.insecure if you trust what is built."],
  ]);
});

it("refuses a process of any other origin by the same rule", () => {
  const process = { network: "host", security: "insecure" } as const;
  expect(() => checkPrivileges(process, grants("network.host"))).toThrow("security.insecure");
  expect(() => checkPrivileges(process, grants(...allEntitlements))).not.toThrow();
  expect(() =>
    checkPrivileges({ network: "default", security: "sandbox" }, grants()),
  ).not.toThrow();
});

it("grants what the request asks and the engine allows", () => {
  const granted = grantEntitlements(["network.host", "device"], allEntitlements);
  expect(allEntitlements.filter((one) => granted.has(one))).toEqual(["network.host", "device"]);
  expect(failureOf(() => grantEntitlements(["network.host"], ["device"])).code).toBe(
    "ENTITLEMENT_MISSING",
  );
  expect(failureOf(() => grantEntitlements(["network.hots"], allEntitlements)).hint).toBe(
    "Did you mean network.host?",
  );
  expect(() => grantEntitlements(["constructor"], allEntitlements)).toThrow("no entitlement");
});

it("grants a device or a kind alone, and those that are everybody's", () => {
  const isFree = (name: string) => name === "v.com/free=0";
  const granted = grantEntitlements(["device=v.com/gpu,alias=x"], ["device"], isFree);
  const asking = (...names: string[]) =>
    checkGraph(graphOf({ devices: names.map((name) => ({ name, optional: false })) }), granted);
  asking("v.com/gpu=0", "v.com/gpu=*", "v.com/free=0");
  for (const name of ["v.com/npu=0", "v.com/free=1"])
    expect(failureOf(() => asking("v.com/gpu=0", name)).code).toBe("ENTITLEMENT_MISSING");
  expect(failureOf(() => asking("v.com/gpu=0", "w.com/nic", "w.com/tpu")).message).toBe(
    "devices w.com/nic, w.com/tpu are requested by the build but not allowed",
  );
  expect(failureOf(() => grantEntitlements(["device=v.com/gpu"], [])).code).toBe(
    "ENTITLEMENT_MISSING",
  );
});
