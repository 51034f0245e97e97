import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { countIds, freeRange } from "./id-ranges.ts";
import { isInitial, ownersOf, parseIdMap, parseIsolation, readEntered } from "./isolation.ts";
import { startConditions } from "./start-note.ts";

it.each([undefined, "", "auto", "default"])("%j leaves the choice to Kiln", (text) => {
  expect(parseIsolation(text)).toBeUndefined();
});

it("every rung has its name", () => {
  expect(parseIsolation("userns-fuse")).toBe("userns-fuse");
  expect(() => parseIsolation("chroot")).toThrow(/there is no isolation "chroot"/);
});

it("the first user namespace is the one in which every id is itself", () => {
  expect(isInitial(parseIdMap("         0          0 4294967295\n"))).toBe(true);
  expect(isInitial(parseIdMap("0 0 65536\n65536 65536 4294901759\n"))).toBe(false);
  expect(isInitial(parseIdMap("0 1000 1\n"))).toBe(false);
  expect(isInitial([])).toBe(false);
});

it("a map of one id has one owner, a map with lent ranges many", () => {
  expect(ownersOf(parseIdMap("0 1000 1\n"))).toBe("one");
  expect(ownersOf(parseIdMap("0 1000 1\n1 100000 65535\n"))).toBe("many");
  expect(ownersOf([])).toBe("one");
});

it.each(["", "userns", "userns:", "root:0", "proot:1000", "userns:x"])(
  "%j does not say that a namespace was entered",
  (variable) => {
    expect(readEntered(variable)).toBeUndefined();
  },
);

it("ranges are a user's by name or by number, and add up", () => {
  const text = "ann:100000:65536\n1000:200000:10\nbob:300000:5\nbad line\nann:x:7\n";
  expect(countIds(text, { uid: 1000, name: "ann" })).toBe(65546);
  expect(countIds(text, { uid: 1001, name: "bob" })).toBe(5);
  expect(countIds(text, { uid: 1001, name: undefined })).toBe(0);
});

it("a note of a start is no good when what decides about namespaces has changed", () => {
  const files = {
    "/proc/sys/kernel/random/boot_id": "b00t\n",
    "/proc/sys/user/max_user_namespaces": "100\n",
    "/proc/self/status":
      "Name:\tnode\nCapBnd:\tff\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n",
  };
  const read = (more: Readonly<Record<string, string>>) => (path: string) =>
    ({ ...files, ...more })[path as keyof typeof files] ?? "";
  const noted = startConditions(read({}));
  expect(noted).toBe("b00t:1:::ff:0:0");
  for (const changed of [
    { "/proc/sys/user/max_user_namespaces": "0\n" },
    { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n" },
    { "/proc/self/status": "CapBnd:\tff\nNoNewPrivs:\t1\nSeccomp:\t2\n" },
  ])
    expect(startConditions(read(changed as unknown as Record<string, string>))).not.toBe(noted);
});

it("the script that starts Kiln finds the same conditions", () => {
  const launcher = readFileSync(resolve(import.meta.dirname, "../../../bin/kiln"), "utf8");
  const [body = ""] = /^find_conditions\(\) \{[\s\S]*?^\}$/m.exec(launcher) ?? [];
  const said = execFileSync("sh", ["-c", `${body}\nfind_conditions\nprintf %s "$conditions"`], {
    encoding: "utf8",
  });
  expect(said).toBe(startConditions());
});

it("the range that is advised is nobody else's", () => {
  expect(freeRange(["", ""])).toBe("100000-165535");
  expect(freeRange(["ann:100000:65536\n", "bob:231072:65536\nbad line\n"])).toBe("296608-362143");
});
