// Steps' first process, started without Node's help: its streams, its end, its signals.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { StepCall } from "../../api/index.ts";
import { abortReason, digestOf } from "../../base/index.ts";
import { hostPlatform } from "../../formats/oci/index.ts";
import { StepPrograms } from "./programs/step-programs.ts";
import { startLeashed } from "./start-leashed.ts";

let directory: string;
let leash: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-leashed-"));
  leash = new StepPrograms(directory, hostPlatform(process.arch).architecture).leash() ?? "";
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const step = { step: digestOf("step"), emit: () => {} };
const fresh = (): StepCall => ({ signal: new AbortController().signal, ...step });

/** The exit code and what was written to both streams. */
async function run(script: string, env: Record<string, string> = {}, calling: StepCall = fresh()) {
  const path = join(directory, "output");
  const file = openSync(path, "w");
  const code = startLeashed([leash, "/bin/sh", "-c", script], ["ignore", file, file], env, calling);
  closeSync(file);
  return [await code, readFileSync(path, "utf8")] as const;
}

it("gives a program its environment and its streams, not the pipe that the leash holds on to", async () => {
  const [code, output] = await run(
    'echo "$A"; cat; echo err >&2; [ ! -e /proc/self/fd/9 ] && exit 3',
    {
      A: "\u00fc and = and\nlines",
      PATH: "/usr/bin:/bin",
    },
  );
  expect(code).toBe(3);
  expect(output).toBe("\u00fc and = and\nlines\nerr\n");
});

it("passes on our own streams where it is told to", async () => {
  const script = "{ : >&0 && : >&1 && : >&2; } 2>/dev/null && exit 5";
  const command = [leash, "/bin/sh", "-c", script];
  const streams: Parameters<typeof startLeashed>[1] = ["inherit", "inherit", "inherit"];
  expect(await startLeashed(command, streams, {}, fresh())).toBe(5);
});

it("handles signals as usual, whatever Node does about them", async () => {
  const [, output] = await run("grep -E '^Sig(Blk|Ign):' /proc/self/status");
  expect(output).toMatch(/^SigBlk:\t0+\nSigIgn:\t0+\n$/);
});

it("runs many at once, each with its own end", async () => {
  const codes = Array.from({ length: 20 }, (_, at) =>
    startLeashed([leash, "/bin/sh", "-c", `exit ${at}`], ["ignore"], {}, fresh()),
  );
  expect(await Promise.all(codes)).toEqual(Array.from({ length: 20 }, (_, at) => at));
});

it("kills at once when the build is cancelled", async () => {
  const cancel = new AbortController();
  const calling = { ...step, signal: cancel.signal };
  const ended = run("sleep 1000", {}, calling);
  cancel.abort(abortReason("enough"));
  await expect(ended).rejects.toBe(cancel.signal.reason);
});

it("says what could not be started", async () => {
  await expect(startLeashed(["/nowhere/leash"], ["ignore"], {}, fresh())).rejects.toThrow(
    /\/nowhere\/leash could not be started: ENOENT/,
  );
});
