// What is held stays, whoever collects at the same time; what dead processes held does not count.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LeaseTable } from "./leases.ts";
import { processTag } from "./liveness.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "kiln-leases-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

it("collects what nobody else holds, and says what", () => {
  const one = new LeaseTable(dir);
  const other = new LeaseTable(dir);
  one.hold(["a", "b"]);
  const removed: string[] = [];
  expect(other.collect(["a", "c"], (name) => removed.push(name))).toEqual(["c"]);
  expect(removed).toEqual(["c"]);
  one.release();
  expect(other.collect(["a"], () => {})).toEqual(["a"]);
});

it("waits for a collector at work, and not for one that died or is stuck", () => {
  const table = new LeaseTable(dir);
  const sign = join(dir, `collecting-${processTag()}-x`);
  writeFileSync(sign, "");
  utimesSync(sign, new Date(), new Date(Date.now() - 4000));
  const begin = Date.now();
  table.hold(["a"]);
  expect(Date.now() - begin).toBeGreaterThan(500);
  writeFileSync(join(dir, "collecting-0_0_1_1-x"), "");
  const again = Date.now();
  table.hold(["b"]);
  expect(Date.now() - again).toBeLessThan(1000);
});

it("leaves no file when it lets go, and sweeps those of the dead", () => {
  const table = new LeaseTable(dir);
  table.hold(["a"]);
  writeFileSync(join(dir, "0_0_1_1-x"), "b\n");
  expect(table.collect(["b"], () => {})).toEqual(["b"]);
  table.release();
  table.sweep();
  expect(readdirSync(dir)).toEqual([]);
});

it("never lets a thing vanish after it was held and seen", async () => {
  // One process takes and looks, the other collects, 1000 times on the same names.
  const script = `
    import { existsSync } from "node:fs";
    import { LeaseTable } from ${JSON.stringify(join(import.meta.dirname, "leases.ts"))};
    const dir = process.argv[1];
    let lost = 0, seen = 0;
    for (let i = 0; i < 1000; i++) {
      const table = new LeaseTable(dir + "/leases");
      table.hold(["t" + (i % 5)]);
      if (existsSync(dir + "/t" + (i % 5))) {
        seen++;
        for (let j = 0; j < 100; j++) if (!existsSync(dir + "/t" + (i % 5))) lost++;
      }
      table.release();
    }
    console.log(lost, seen);
  `;
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", script, dir],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  let over = false;
  const ended = once(child, "exit").then(() => {
    over = true;
  });
  const table = new LeaseTable(`${dir}/leases`);
  while (!over) {
    for (let i = 0; i < 5; i++) {
      writeFileSync(`${dir}/t${i}`, "");
      table.collect([`t${i}`], (name) => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.2);
        rmSync(`${dir}/${name}`, { force: true });
      });
      writeFileSync(`${dir}/t${i}`, "");
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  const [lost, seen] = text.split(" ").map(Number);
  expect(seen).toBeGreaterThan(0);
  expect(lost).toBe(0);
});
