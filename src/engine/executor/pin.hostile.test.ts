import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { isKilnError } from "../../base/index.ts";
import { pinInRoot } from "./pin.ts";

/** Exchanges a directory and a link to a place outside, as fast as it can, until it is killed. */
const swapper = `
  const { renameSync, symlinkSync, unlinkSync } = require("node:fs");
  const [directory, canary] = process.argv.slice(1);
  process.chdir(directory);
  process.stdout.write("up");
  for (;;) {
    renameSync("sub", "away");
    symlinkSync(canary, "sub");
    unlinkSync("sub");
    renameSync("away", "sub");
  }
`;

it("never pins a place outside, however fast links are exchanged (CVE-2024-23651)", async () => {
  const place = mkdtempSync(join(tmpdir(), "kiln-pin-"));
  const [root, canary] = [join(place, "root"), join(place, "canary")];
  mkdirSync(join(root, "sub/deep"), { recursive: true });
  mkdirSync(join(canary, "deep"), { recursive: true });
  writeFileSync(join(canary, "deep/file"), "host");
  const child = spawn(process.execPath, ["-e", swapper, root, canary], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  try {
    const outside = statSync(join(canary, "deep")).ino;
    const seen = { inside: 0, absent: 0, refused: 0 };
    for (let round = 0; round < 10_000; round++) {
      try {
        using pin = pinInRoot(root, "/sub/deep");
        if (pin === undefined) {
          seen.absent++;
          continue;
        }
        expect(statSync(pin.path).ino).not.toBe(outside);
        expect(readlinkSync(pin.path)).not.toContain("canary");
        seen.inside++;
      } catch (error) {
        if (!isKilnError(error, "PATH_INVALID")) throw error;
        seen.refused++;
      }
    }
    expect(seen.inside).toBeGreaterThan(0);
    expect(seen.inside + seen.absent + seen.refused).toBe(10_000);
  } finally {
    child.kill("SIGKILL");
    rmSync(place, { recursive: true, force: true });
  }
});
