// Opens an executor with a network, runs a step in it, says who it is, and dies of signal 9.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openExecutor } from "../../src/engine/executor/index.ts";
import { makeRoot, overlayOn, runShell } from "./executor-kit.ts";

const place = join(process.argv[2] ?? "", `victim-${process.pid}`);
const executor = await openExecutor({ stateDir: join(place, "state"), network: "sandbox" });
await runShell(executor, overlayOn(makeRoot(join(place, "root"))).mounts, "true");
const interfaces = readdirSync("/sys/class/net").filter((name) => name.startsWith("kiln"));
process.stdout.write(`${process.pid}\n${interfaces.join("\n")}\n`, () =>
  process.kill(process.pid, "SIGKILL"),
);
