// A program's standard input and output as one stream: how ssh, kubectl and container tools carry a connection.
import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { type Call, KilnError, throwIfAborted } from "../../base/index.ts";

/** What is kept of a program's complaints. */
const maxComplaint = 4096;

/**
 * Starts `argv` and resolves with its streams as one. What it says on standard error is part of the error that the
 * stream ends with when the program fails. Destroying the stream ends the program.
 * Throws `PROGRAM_MISSING`.
 */
export function openProgramStream(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  call: Call,
): Promise<Duplex> {
  throwIfAborted(call);
  const [program = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...env } as NodeJS.ProcessEnv,
    });
    let complaint = "";
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      complaint = (complaint + text).slice(-maxComplaint);
    });
    child.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "ENOENT"
          ? new KilnError("PROGRAM_MISSING", `${program} is not installed`, {
              hint: `Install ${program}: it carries the connection to the builder.`,
            })
          : cause,
      ),
    );
    child.once("spawn", () => {
      const stream = join(child, () => failure(program, args, complaint));
      resolve(stream);
    });
  });
}

function failure(
  program: string,
  args: readonly string[],
  complaint: string,
): (how: string) => Error {
  const said = complaint.trim();
  return (how) =>
    new KilnError(
      "BUILDER_UNREACHABLE",
      `${program} ${args.join(" ")} ${how}${said === "" ? "" : `: ${said}`}`,
    );
}

type Child = ReturnType<typeof spawn> & {
  readonly stdin: NodeJS.WritableStream;
  readonly stdout: NodeJS.ReadableStream;
};

function join(child: Child, failed: () => (how: string) => Error): Duplex {
  let ended = false;
  const stream = new Duplex({
    read: () => void child.stdout.resume(),
    write(chunk, _encoding, done) {
      if (child.stdin.write(chunk)) done();
      else child.stdin.once("drain", () => done());
    },
    final(done) {
      child.stdin.end(() => done());
    },
    destroy(error, done) {
      child.kill("SIGTERM");
      done(error);
    },
  });
  child.stdin.on("error", () => {
    // The program has gone: its exit tells why.
  });
  child.stdout.on("data", (chunk: Uint8Array) => {
    if (!stream.push(chunk)) child.stdout.pause();
  });
  child.stdout.on("end", () => {
    ended = true;
  });
  child.on("close", (code, signal) => {
    const how = signal === null ? `ended with exit code ${code}` : `was stopped by ${signal}`;
    if (code === 0 || stream.destroyed) stream.push(null);
    else stream.destroy(failed()(how));
    if (!ended) stream.push(null);
  });
  return stream;
}
