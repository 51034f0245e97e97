// Builds of several processes on one store run a step one after the other: who comes second finds the first one's result.
import { createHash } from "node:crypto";
import type { NamedLocks } from "../../storage/kept/index.ts";
import type { Metadata } from "../../storage/metadata/index.ts";
import type { Turns } from "../solver/index.ts";

/** `locks` are fleeting ones: there is no end of keys. `metadata` holds the cache's records. */
export function createTurns(locks: NamedLocks, metadata: Metadata): Turns {
  return {
    async take(key, call) {
      const name = createHash("sha256").update(key).digest("hex");
      let waited = false;
      const tell = (done: boolean) =>
        call.emit({
          type: "progress",
          step: call.step,
          id: "waiting for another build that runs this step",
          at: new Date(),
          current: 0,
          ...(done ? { done } : {}),
        });
      const waits = () => {
        waited = true;
        tell(false);
      };
      const lock = await locks.hold(name, "locked", waits, call);
      if (waited) tell(true);
      metadata.refresh();
      return lock;
    },
  };
}
