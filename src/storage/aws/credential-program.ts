// Keys that a profile's own program tells (AWS CLI, "sourcing credentials with an external process").
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Call, KilnError } from "../../base/index.ts";
import { type AwsKeys, type AwsWorld, keysOf } from "./services.ts";

/** A program that tells keys may take so long, in milliseconds. */
const programTime = 60_000;
/** Bytes that it may print. */
const maxOutput = 256 * 1024;

/** Runs the command of profile `name` in a shell, as AWS's own tools do. Throws `CONFIG_INVALID`. */
export async function programKeys(
  command: string,
  name: string,
  { env }: AwsWorld,
  call: Call,
): Promise<AwsKeys> {
  const options = { env, timeout: programTime, signal: call.signal, maxBuffer: maxOutput };
  try {
    const { stdout } = await promisify(execFile)("/bin/sh", ["-c", command], options);
    const keys = keysOf(stdout, "SessionToken");
    if (keys) return keys;
  } catch (error) {
    call.signal.throwIfAborted();
    throw new KilnError("CONFIG_INVALID", `AWS profile ${name}: its credential_process failed`, {
      cause: error,
    });
  }
  throw new KilnError("CONFIG_INVALID", `AWS profile ${name}: its credential_process told no keys`);
}
