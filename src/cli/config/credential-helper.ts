// The protocol of docker's credential helpers: `docker-credential-NAME get|store|erase`, JSON on stdin and stdout.
import type { Credentials } from "../../api/index.ts";
import { type Call, isRecord, KilnError } from "../../base/index.ts";
import type { Environment } from "./config-file.ts";

export interface HelperQuestion {
  /** `ecr-login` for `docker-credential-ecr-login`. */
  readonly helper: string;
  readonly serverUrl: string;
  /** Where the helper was named, for messages. */
  readonly configFile: string;
  readonly environment: Environment;
}

/** Milliseconds that a helper may take: some ask a cloud, none asks a person. */
const helperTimeout = 30_000;
const maxAnswer = 1024 * 1024;
/** The user name by which helpers say that the secret is an OAuth2 refresh token. */
const tokenUser = "<token>";

/** Undefined when the helper has nothing for the server. Throws `CREDENTIALS_FAILED`. */
export async function askHelper(
  question: HelperQuestion,
  call: Call,
): Promise<Credentials | undefined> {
  const program = programOf(question);
  const { code, output } = await run(program, "get", `${question.serverUrl}\n`, question, call);
  // Helpers write their errors to stdout as well (docker-credential-helpers, credentials/error.go).
  if (code !== 0) {
    if (notFound.test(output)) return undefined;
    throw failed(question, `${program} failed: ${oneLine(output) || `exit code ${code}`}`);
  }
  return readAnswer(output, question, program);
}

/** Gives the helper something to keep. Throws `CREDENTIALS_FAILED`. */
export async function tellHelper(
  question: HelperQuestion,
  { username, password, identityToken }: Credentials,
  call: Call,
): Promise<void> {
  const document = {
    ServerURL: question.serverUrl,
    Username: identityToken === undefined ? (username ?? "") : tokenUser,
    Secret: identityToken ?? password ?? "",
  };
  await order("store", JSON.stringify(document), question, call);
}

/** Makes the helper forget the server; one that knows nothing of it is content. Throws `CREDENTIALS_FAILED`. */
export async function eraseFromHelper(question: HelperQuestion, call: Call): Promise<void> {
  await order("erase", question.serverUrl, question, call);
}

async function order(
  action: "store" | "erase",
  input: string,
  question: HelperQuestion,
  call: Call,
): Promise<void> {
  const program = programOf(question);
  const { code, output } = await run(program, action, input, question, call);
  if (code === 0 || (action === "erase" && notFound.test(output))) return;
  throw failed(question, `${program} ${action} failed: ${oneLine(output) || `exit code ${code}`}`);
}

const notFound = /credentials not found|no credentials/i;

function programOf(question: HelperQuestion): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(question.helper))
    return `docker-credential-${question.helper}`;
  throw failed(
    question,
    `${JSON.stringify(question.helper)} cannot be the name of a credential helper`,
  );
}

interface HelperResult {
  readonly code: number | null;
  readonly output: string;
}

async function run(
  program: string,
  action: "get" | "store" | "erase",
  input: string,
  question: HelperQuestion,
  call: Call,
): Promise<HelperResult> {
  call.signal.throwIfAborted();
  const { spawn } = await import("node:child_process");
  return new Promise((resolve, reject) => {
    const child = spawn(program, [action], {
      stdio: ["pipe", "pipe", "ignore"],
      env: question.environment,
    });
    const chunks: Uint8Array[] = [];
    let size = 0;
    const stop = (error: unknown) => {
      child.kill("SIGKILL");
      reject(error);
    };
    const onAbort = () => stop(call.signal.reason);
    const timer = setTimeout(
      () => stop(failed(question, `${program} did not answer in time`)),
      helperTimeout,
    );
    call.signal.addEventListener("abort", onAbort, { once: true });
    child.stdout.on("data", (chunk: Uint8Array) => {
      size += chunk.length;
      if (size > maxAnswer)
        stop(failed(question, `${program} answered with more than ${maxAnswer} bytes`));
      else chunks.push(chunk);
    });
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      call.signal.removeEventListener("abort", onAbort);
      finish();
    };
    child.once("error", (error) => settle(() => reject(notStarted(error, program, question))));
    child.once("close", (code) => {
      const output = chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
      settle(() => resolve({ code, output }));
    });
    // A helper may exit without reading.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

function readAnswer(
  output: string,
  question: HelperQuestion,
  program: string,
): Credentials | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    answer = undefined;
  }
  if (!isRecord(answer)) throw failed(question, `${program} did not answer in JSON`);
  const { Username: username, Secret: secret } = answer;
  if (typeof username !== "string" || typeof secret !== "string")
    throw failed(question, `${program} answered without Username and Secret`);
  if (secret === "") return undefined;
  return username === tokenUser || username === ""
    ? { identityToken: secret }
    : { username, password: secret };
}

function notStarted(error: Error, program: string, question: HelperQuestion): KilnError {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT")
    return failed(question, `${program}: ${error.message}`, error);
  return new KilnError(
    "CREDENTIALS_FAILED",
    `credentials for ${question.serverUrl}: there is no ${program} on this machine`,
    {
      cause: error,
      hint: `Install ${program}, or remove "${question.helper}" from ${question.configFile}.`,
    },
  );
}

function failed(
  { serverUrl, configFile }: HelperQuestion,
  why: string,
  cause?: unknown,
): KilnError {
  return new KilnError("CREDENTIALS_FAILED", `credentials for ${serverUrl}: ${why}`, {
    cause,
    hint: `The helper is named in ${configFile}; try it by hand, or log in again.`,
  });
}

function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .slice(0, 300);
}
