import { expect, it } from "vitest";
import { checkUlimits, fitUlimits, parseLimits } from "./ulimits.ts";

const limits = `Limit                     Soft Limit           Hard Limit           Units     
Max core file size        0                    unlimited            bytes     
Max open files            1024                 20000                files     
`;

it("reads hard limits from /proc", () => {
  expect(parseLimits(limits)).toEqual(
    new Map([
      ["core", -1],
      ["nofile", 20000],
    ]),
  );
});

it("lowers what may not be raised and says so", () => {
  const wanted = [
    { name: "nofile", soft: 30000, hard: 40000 },
    { name: "core", soft: -1, hard: -1 },
  ];
  const { rlimits, lowered } = fitUlimits(wanted, parseLimits(limits), false);
  expect(rlimits).toEqual([
    { type: "RLIMIT_NOFILE", soft: 20000, hard: 20000 },
    { type: "RLIMIT_CORE", soft: -1, hard: -1 },
  ]);
  expect(lowered).toEqual([expect.stringContaining("nofile")]);
  expect(fitUlimits(wanted, parseLimits(limits), true).lowered).toEqual([]);
});

it("refuses names that are no limits", () => {
  expect(() => checkUlimits([{ name: "nofiles" }])).toThrow('no ulimit called "nofiles"');
  expect(() => checkUlimits([{ name: "toString" }])).toThrow("no ulimit");
  expect(() => checkUlimits([{ name: "nofile" }])).not.toThrow();
});
