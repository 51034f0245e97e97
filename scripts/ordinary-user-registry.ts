// The registry of scripts/ordinary-user.sh, with a base image for three processors; prints its address and serves until killed.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { busyboxContext, demoPlatforms } from "./fixtures/base-images.ts";
import { startRegistry } from "./fixtures/registry.ts";

const checkout = resolve(import.meta.dirname, "..");
const directory = process.argv[2] ?? "";
const registry = await startRegistry({ directory });
const name = `${registry.address}/library/busybox:latest`;
const args = ["build", "-q", "--platform", demoPlatforms, "-t", name, "--push"];
const built = spawnSync(
  join(checkout, "bin/kiln"),
  [...args, busyboxContext(join(checkout, ".kiln/fixtures"))],
  { env: { ...process.env, KILN_ROOT: `${directory}-root` }, encoding: "utf8" },
);
if (built.status !== 0) throw new Error(built.stderr);
process.stdout.write(`${registry.address}\n`);
process.on("SIGTERM", () => {
  void registry[Symbol.asyncDispose]().then(() => process.exit());
});
