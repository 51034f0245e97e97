// Opens an executor, runs a step with a network, says who it is and what it was told, and dies of signal 9: DIRECTORY MODE.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openExecutor } from "../../src/engine/executor/index.ts";
import { makeRoot, overlayOn, runShell } from "./executor-kit.ts";

const place = join(process.argv[2] ?? "", `victim-${process.pid}`);
const network = process.argv[3] === "auto" ? "auto" : "sandbox";
const executor = await openExecutor({ stateDir: join(place, "state"), network });
const { events } = await runShell(
  executor,
  overlayOn(makeRoot(join(place, "root"))).mounts,
  "true",
);
const interfaces = readdirSync("/sys/class/net").filter((name) => name.startsWith("kiln"));
const told = events.flatMap((one) => (one.type === "warning" ? [one.warning.message] : []));
process.stdout.write(`${[process.pid, ...interfaces, ...told].join("\n")}\n`, () =>
  process.kill(process.pid, "SIGKILL"),
);
