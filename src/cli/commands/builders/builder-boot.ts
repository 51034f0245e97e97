// Starting a builder's nodes, shown as steps.

import { KilnError } from "../../../base/index.ts";
import { type Driver, openNode } from "../../../remote/driver/index.ts";
import type { BuilderRecord } from "../../../remote/store/index.ts";
import type { ProgressMode } from "../../progress/index.ts";
import type { RunWorld } from "../command.ts";
import { withProgress } from "../step-progress.ts";
import type { KnownBuilders } from "./known-builders.ts";

/** Boots all nodes at once; those that are up are left alone. `timeout` is for daemons that somebody else runs. */
export async function bootNodes(
  builder: Pick<BuilderRecord, "name" | "driver" | "nodes">,
  known: KnownBuilders,
  timeout: number,
  world: RunWorld,
  mode: ProgressMode = "auto",
): Promise<void> {
  const drivers = builder.nodes.map((node) => openNode(builder, node, known.drivers));
  const states = await Promise.all(drivers.map((driver) => isUp(driver, world)));
  const asleep = drivers.filter((_driver, at) => !states[at]);
  if (asleep.length === 0) return;
  await withProgress(mode, world, async (progress) => {
    await Promise.all(
      asleep.map((driver) => {
        const of = asleep.length > 1 ? `${driver.node.name} ` : "";
        return driver.name === "remote"
          ? progress.step(`[${of}internal] waiting for connection`, () =>
              waitFor(driver, timeout, world),
            )
          : progress.step(`[${of}internal] booting buildkit`, (say) =>
              driver.boot(say, world.call),
            );
      }),
    );
  });
}

/** False also where it cannot be told: booting says why. */
async function isUp(driver: Driver, world: RunWorld): Promise<boolean> {
  if (driver.inProcess) return true;
  try {
    return (await driver.status(world.call)) === "running";
  } catch (error) {
    if (world.call.signal.aborted) throw error;
    return false;
  }
}

/** A daemon that is being started elsewhere may need a moment. */
async function waitFor(driver: Driver, timeout: number, world: RunWorld): Promise<void> {
  const limit = AbortSignal.timeout(timeout);
  const call = { signal: AbortSignal.any([world.call.signal, limit]) };
  for (let pause = 100; ; pause = Math.min(pause * 2, 2000)) {
    try {
      await driver.boot(() => undefined, call);
      return;
    } catch (cause) {
      if (world.call.signal.aborted) throw world.call.signal.reason;
      if (limit.aborted || !isUnreachable(cause)) throw cause;
      const waited = await pausedUntil(pause, limit, world);
      if (!waited)
        throw new KilnError("BUILDER_UNREACHABLE", "context deadline exceeded", { cause });
    }
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof KilnError && error.code === "BUILDER_UNREACHABLE";
}

/** False when the time is up. */
function pausedUntil(ms: number, limit: AbortSignal, world: RunWorld): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => resolve(true)), ms);
    const stop = () => settle(() => reject(world.call.signal.reason));
    const end = () => settle(() => resolve(false));
    const settle = (how: () => void) => {
      clearTimeout(timer);
      limit.removeEventListener("abort", end);
      world.call.signal.removeEventListener("abort", stop);
      how();
    };
    limit.addEventListener("abort", end, { once: true });
    world.call.signal.addEventListener("abort", stop, { once: true });
  });
}
