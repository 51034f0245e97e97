import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { lookUpUser } from "./user.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kiln-user-"));
  mkdirSync(join(root, "etc"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function accounts(): void {
  writeFileSync(
    join(root, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\n# odd line\napp:x:10:20::/srv/app:/bin/sh\n77:x:5:5::/:\n",
  );
  writeFileSync(
    join(root, "etc/group"),
    "root:x:0:\nbin:x:1:root,app\napp:x:20:\nwheel:x:30:app\n",
  );
}

it.each([
  ["", { uid: 0, gid: 0, additionalGids: [0, 1], home: "/root" }],
  ["root", { uid: 0, gid: 0, additionalGids: [0, 1], home: "/root" }],
  ["app", { uid: 10, gid: 20, additionalGids: [20, 1, 30], home: "/srv/app" }],
  ["10", { uid: 10, gid: 20, additionalGids: [20, 1, 30], home: "/srv/app" }],
  ["app:wheel", { uid: 10, gid: 30, additionalGids: [30], home: "/srv/app" }],
  ["app:99", { uid: 10, gid: 99, additionalGids: [99], home: "/srv/app" }],
  ["10:99", { uid: 10, gid: 99, additionalGids: [99], home: "/srv/app" }],
  ["1234", { uid: 1234, gid: 0, additionalGids: [0], home: "/" }],
  ["1234:5678", { uid: 1234, gid: 5678, additionalGids: [5678], home: "/" }],
  ["77", { uid: 5, gid: 5, additionalGids: [5], home: "/" }],
])("looks %j up", (spec, user) => {
  accounts();
  expect(lookUpUser(root, spec)).toEqual(user);
});

it.each(["nobody", "app:nogroup", "-1", "2147483648", "1e3", "0x1", "app:2147483648"])(
  "refuses %j",
  (spec) => {
    accounts();
    expect(() => lookUpUser(root, spec)).toThrowError(
      expect.objectContaining({ code: "USER_NOT_FOUND" }),
    );
  },
);

it("needs no files for root and for numbers", () => {
  expect(lookUpUser(root, "")).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: "/" });
  expect(lookUpUser(root, "5:6")).toMatchObject({ uid: 5, gid: 6 });
});

it("refuses a huge passwd file without reading it", () => {
  writeFileSync(join(root, "etc/passwd"), "");
  truncateSync(join(root, "etc/passwd"), 20 * 2 ** 30);
  expect(() => lookUpUser(root, "app")).toThrowError(
    expect.objectContaining({ code: "IMAGE_INVALID" }),
  );
});

it("takes links as the image means them, and devices, FIFOs and directories for nothing", () => {
  symlinkSync("/etc/group", join(root, "etc/passwd"));
  expect(() => lookUpUser(root, "root")).toThrow("no matching entries in passwd file");
  symlinkSync("/../../../../../../../../etc/group", join(root, "etc/group"));
  expect(() => lookUpUser(root, "1:root")).toThrow("too many levels of symbolic links");
});

it("does not wait for a FIFO", () => {
  execFileSync("mkfifo", [join(root, "etc/passwd")]);
  mkdirSync(join(root, "etc/group"));
  expect(lookUpUser(root, "0")).toMatchObject({ uid: 0 });
});
