// What the doctor prints and what it would do.
import { expect, it } from "vitest";
import type { Finding } from "../../../engine/doctor/index.ts";
import { createStyle } from "../../report/index.ts";
import { judgeClient } from "./doctor-client.ts";
import { fixesOf } from "./doctor-fix.ts";
import { findingLines, wrap } from "./doctor-text.ts";

const finding = (more: Partial<Finding>): Finding => ({
  id: "x",
  group: "tools",
  title: "Git",
  status: "warning",
  found: "not installed",
  ...more,
});
const install = { commands: ["apt-get install -y git"], root: true, harmless: true };

it("prints a finding with what follows from it and what helps", () => {
  const text = findingLines(
    [finding({ consequence: "repositories do not work", fix: install })],
    createStyle(false),
    80,
  );
  expect(text).toEqual([
    "Tools and credentials",
    "! Git                   not installed",
    "                        repositories do not work",
    "                        # apt-get install -y git",
    "",
    "Builds work here, with 1 warning.",
  ]);
});

it("says at the end whether something needed is missing", () => {
  const last = (...findings: Finding[]) => findingLines(findings, createStyle(false), 80).at(-1);
  expect(last(finding({ status: "ok" }))).toBe("Builds work here.");
  expect(last(finding({ status: "missing" }), finding({}))).toBe(
    "1 thing that builds need is missing, and 1 warning.",
  );
});

it("breaks lines at blanks, and leaves long words whole", () => {
  expect(wrap("a bb ccc dddddddddd e", 6)).toEqual(["a bb", "ccc", "dddddddddd", "e"]);
});

it("puts right only what does no harm, what this user may do, and what is not right", () => {
  const harmful = { ...install, harmless: false, commands: ["sysctl -w x=1"] };
  const own = { ...install, root: false, commands: ["mkdir x"] };
  const all = [
    finding({ fix: install }),
    finding({ fix: install }),
    finding({ fix: harmful }),
    finding({ fix: own }),
    finding({ status: "info", fix: { ...install, commands: ["no"] } }),
  ];
  expect(fixesOf(all, 0)).toEqual(["apt-get install -y git", "mkdir x"]);
  expect(fixesOf(all, 1000)).toEqual(["mkdir x"]);
});

it("does without docker's configuration, and says where an agent is gone", () => {
  const [logins, agent] = judgeClient({
    env: { DOCKER_CONFIG: "/nonexistent", SSH_AUTH_SOCK: "/nonexistent/agent" },
  });
  expect([logins?.status, agent?.status]).toEqual(["info", "warning"]);
});
