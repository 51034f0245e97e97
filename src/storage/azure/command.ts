// Whoever is logged in with Azure's command line tool (`az login`, as the login action of GitHub's workflows does).
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Call, KilnError } from "../../base/index.ts";
import { answerMembers } from "../http/index.ts";
import { type AzureToken, type AzureWorld, storageResource } from "./services.ts";

/** The tool is slow to start: milliseconds. */
const programTime = 30_000;
/** Bytes that it may print. */
const maxOutput = 256 * 1024;

/** Undefined where the tool is not there, or nobody is logged in. Throws `CACHE_FAILED` where it fails otherwise. */
export async function loggedInToken(
  { env, now }: AzureWorld,
  call: Call,
): Promise<AzureToken | undefined> {
  const options = { env, timeout: programTime, signal: call.signal, maxBuffer: maxOutput };
  const words = ["account", "get-access-token", "--output", "json", "--resource", storageResource];
  let answer: string;
  try {
    answer = (await promisify(execFile)("az", words, options)).stdout;
  } catch (error) {
    call.signal.throwIfAborted();
    const { code, stderr = "" } = error as { code?: unknown; stderr?: string };
    if (code === "ENOENT" || code === "EACCES" || /az login|az account set/i.test(stderr))
      return undefined;
    const [line = ""] = stderr.trim().split("\n").slice(-1);
    throw new KilnError("CACHE_FAILED", `az account get-access-token failed: ${line}`, {
      cause: error,
    });
  }
  const { accessToken: value, expires_on: end, expiresOn: local } = answerMembers(answer);
  if (typeof value !== "string")
    throw new KilnError("CACHE_FAILED", "az account get-access-token printed no token");
  // Older tools say the time only as a clock on this machine's wall shows it.
  const expires = typeof end === "number" ? end * 1000 : new Date(String(local)).getTime();
  return { value, expires: new Date(Number.isFinite(expires) ? expires : now().getTime()) };
}
