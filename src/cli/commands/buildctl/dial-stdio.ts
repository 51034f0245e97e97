// kiln buildctl dial-stdio: standard input and output as a connection to a daemon, which drivers use inside of containers.
import { pipeline } from "node:stream/promises";
import { AsyncStack } from "../../../base/index.ts";
import type { Command } from "../command.ts";
import { addressOf } from "./address.ts";
import { openDial } from "./connection.ts";
import { buildctlCommand } from "./failure.ts";
import { buildctlFlags } from "./flags.ts";

export const dialStdio: Command = buildctlCommand({
  spec: {
    path: ["buildctl", "dial-stdio"],
    args: { min: 0, max: 0 },
    summary: "Proxy the stdio stream to the daemon connection",
    flags: buildctlFlags,
  },
  async run({ values }, _args, world) {
    await using owned = new AsyncStack();
    const dial = await openDial(addressOf(values, world), values, owned, world);
    const limit = values.timeout > 0 ? [AbortSignal.timeout(values.timeout * 1000)] : [];
    const signal = AbortSignal.any([world.call.signal, ...limit]);
    const stream = await dial.connect({ signal });
    const stop = () => void stream.destroy(world.call.signal.reason);
    world.call.signal.addEventListener("abort", stop, { once: true });
    // Either side may end first: what the daemon still says is passed on, and nobody waits for more input.
    const down = pipeline(stream, process.stdout, { end: false });
    const up = pipeline(process.stdin, stream).catch(() => undefined);
    await down;
    void up;
    return 0;
  },
});
