// A process with a step that does not end, for a test that kills it: RUNTIME DIRECTORY.
import { join } from "node:path";
import { openExecutor } from "../../src/engine/executor/index.ts";
import { makeRoot, overlayOn, processOf, recorder } from "./executor-kit.ts";

const [runtime = "", directory = ""] = process.argv.slice(2);
const executor = await openExecutor({ stateDir: join(directory, "state"), runtime });
const { call } = recorder();
await executor.run(
  processOf(["/bin/sh", "-c", "(sleep 3613 &); echo up; exec sleep 3613"]),
  overlayOn(makeRoot(join(directory, "victim"))).mounts,
  [],
  { ...call, emit: () => process.stdout.write("up\n") },
);
