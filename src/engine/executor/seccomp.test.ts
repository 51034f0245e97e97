import { expect, it } from "vitest";
import { seccompProfile } from "./seccomp.ts";
import { prologue } from "./seccomp-filter.ts";

const allowed = (machine: string) =>
  new Set(seccompProfile(machine).syscalls.flatMap((rule) => (rule.args ? [] : rule.names)));

it.each([
  "mount",
  "unshare",
  "setns",
  "bpf",
  "keyctl",
  "add_key",
  "kexec_load",
  "open_by_handle_at",
  "init_module",
  "reboot",
  "userfaultfd",
  "io_uring_setup",
  "socket",
  "clone",
])("does not allow %s without condition", (name) => {
  expect(allowed("amd64").has(name)).toBe(false);
});

it("names every call once, and in order", () => {
  const names = seccompProfile("riscv64").syscalls[0]?.names ?? [];
  expect(new Set(names).size).toBe(names.length);
  expect(names.slice(0, -1)).toEqual(names.slice(0, -1).toSorted());
});

it("answers clone3 as a kernel that lacks it", () => {
  const rules = seccompProfile("arm64").syscalls.filter((rule) => rule.names.includes("clone3"));
  expect(rules).toEqual([{ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }]);
});

it("looks for the flags of clone where the machine has them", () => {
  const index = (machine: string) =>
    seccompProfile(machine).syscalls.find((rule) => rule.names[0] === "clone")?.args?.[0]?.index;
  expect(index("amd64")).toBe(0);
  expect(index("s390x")).toBe(1);
});

/** What the kernel does with the instructions that precede libseccomp's. */
function run(program: Uint8Array, call: number): number | "goes on" {
  const view = new DataView(program.buffer);
  let at = 0;
  while (at < program.length / 8) {
    const [code, yes, no, value] = [
      view.getUint16(at * 8, true),
      view.getUint8(at * 8 + 2),
      view.getUint8(at * 8 + 3),
      view.getUint32(at * 8 + 4, true),
    ];
    if (code === 0x06) return value;
    const test = { 21: call === value, 37: call > value, 53: call >= value }[code];
    at += 1 + (test === undefined ? 0 : test ? yes : no);
  }
  return "goes on";
}

it("lets calls pass that an old libseccomp cannot name, and hides those that nobody knows", () => {
  const program = prologue(["fchmodat2", "statmount", "uretprobe"]);
  const allow = 0x7fff0000;
  const enosys = 0x00050026;
  expect([452, 457].map((call) => run(program, call))).toEqual([allow, allow]);
  expect([0, 424, 451, 453, 466].map((call) => run(program, call))).toEqual(
    Array(5).fill("goes on"),
  );
  expect([467, 1023].map((call) => run(program, call))).toEqual([enosys, enosys]);
  expect([1024, 0x40000000, 0xffffffff].map((call) => run(program, call))).toEqual(
    Array(3).fill("goes on"),
  );
});
