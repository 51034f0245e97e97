// Secrets that try to get out: in pieces, encoded, in names, errors and warnings.
import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import type { BuildEvent, Session } from "../../api/index.ts";
import { digestOf, KilnError, uncancelled } from "../../base/index.ts";
import { SecretMask } from "./secret-mask.ts";

const canary = "canary-5f0e+/secret";
const step = digestOf("step");
const at = new Date(0);
const bytes = (text: string) => new TextEncoder().encode(text);
const logged = (data: string | Uint8Array, stream: 1 | 2 = 1): BuildEvent => ({
  type: "log",
  step,
  stream,
  data: typeof data === "string" ? bytes(data) : data,
  at,
});
const over: BuildEvent = { type: "step", step, name: "RUN x", at, state: "done" };

/** Everything that is told of `events`, logs as text. */
function told(mask: SecretMask, events: readonly BuildEvent[]): string {
  const seen = [...events.flatMap((event) => mask.event(event)), ...mask.end()];
  return seen
    .map((event) => (event.type === "log" ? Buffer.from(event.data).toString() : ""))
    .join("");
}

function maskOf(...secrets: string[]): SecretMask {
  const mask = new SecretMask();
  for (const secret of secrets) mask.add(bytes(secret));
  return mask;
}

describe("a secret in a log", () => {
  it("is masked, with and without the line break at its end", () => {
    expect(told(maskOf(`${canary}\n`), [logged(`a ${canary} b\n`)])).toBe("a *** b\n");
  });

  it("is masked wherever its output is torn", () => {
    const text = `before ${canary}${canary} after\n`;
    for (let first = 1; first < text.length; first++) {
      for (const second of [first, first + 1, first + 5]) {
        const parts = [text.slice(0, first), text.slice(first, second), text.slice(second)];
        const events = parts.map((part) => logged(part));
        expect(told(maskOf(canary), events)).toMatch(/^before (\*\*\*)+ after\n$/);
      }
    }
  });

  it("is masked byte by byte, and on each stream apart", () => {
    const letters = [...`<${canary}>`].flatMap((letter) => [logged(letter), logged(letter, 2)]);
    const text = told(maskOf(canary), letters);
    expect(text).not.toContain(canary);
    expect(text.match(/\*\*\*/g)).toHaveLength(2);
  });

  it("leaves text that only begins like it", () => {
    const half = canary.slice(0, 9);
    expect(told(maskOf(canary), [logged(half), logged(" is no secret")])).toBe(
      `${half} is no secret`,
    );
    expect(told(maskOf(canary), [logged(half), over])).toBe(half);
  });

  it("is masked in base64, alone and inside of something longer", () => {
    const mask = maskOf(canary);
    const encode = (text: string) => Buffer.from(text).toString("base64");
    expect(told(mask, [logged(encode(canary))])).toBe("***");
    expect(told(mask, [logged(encode(`${canary}\n`))])).toMatch(/^\*\*\*.{0,4}$/);
    expect(told(mask, [logged(Buffer.from(canary).toString("base64url"))])).toBe("***");
    for (const before of ["", "u", "us", "use", "user:"]) {
      for (const after of ["", "!", "!!"]) {
        const text = told(mask, [logged(encode(before + canary + after))]);
        expect(text).toContain("***");
        // What is left decodes to no four letters of it.
        const left = Buffer.from(text.replace("***", "")).toString("latin1");
        expect(left.length).toBeLessThanOrEqual(12);
      }
    }
  });

  it("is masked line by line where it has several, and in URLs and JSON", () => {
    const key = `-----BEGIN KEY-----\nAAAAB3NzaC1yc2E\nq83jfnq93nf93n\n-----END KEY-----\n`;
    expect(told(maskOf(key), [logged("x q83jfnq93nf93n\r\n  AAAAB3NzaC1yc2E\n")])).toBe(
      "x ***\r\n  ***\n",
    );
    const odd = 'pa"ss wörd';
    expect(told(maskOf(odd), [logged(JSON.stringify({ odd }))])).toBe('{"odd":"***"}');
    expect(told(maskOf(odd), [logged(`?p=${encodeURIComponent(odd)}&`)])).toBe("?p=***&");
  });

  it("is masked when it is long, wrapped, or not text", () => {
    const long = Array.from({ length: 400 }, (_, i) => `${i * 7919}`).join("");
    expect(told(maskOf(long), [logged(`[${long}]`)])).toBe("[***]");
    const wrapped =
      Buffer.from(long)
        .toString("base64")
        .match(/.{1,76}/g)
        ?.join("\n") ?? "";
    expect(told(maskOf(long), [logged(wrapped)]).replaceAll(/[*\n]/g, "").length).toBeLessThan(8);
    const mask = new SecretMask();
    const binary = Uint8Array.from([1, 255, 254, 0, 200]);
    mask.add(binary);
    expect(told(mask, [logged(Uint8Array.from([65, ...binary, 66]))])).toBe("A***B");
  });

  it("of fewer than four letters is left alone, and so is an empty one", () => {
    expect(told(maskOf("ab", "", "\n"), [logged("cab\n")])).toBe("cab\n");
  });
});

describe("a secret elsewhere", () => {
  it("is masked in names, errors, pieces of work and warnings", () => {
    const mask = maskOf(canary);
    const group = { id: "g", name: canary };
    const events: BuildEvent[] = [
      { type: "step", step, name: `RUN ${canary}`, at, state: "failed", error: canary, group },
      { type: "progress", step, id: `get ${canary}`, at, current: 1 },
      {
        type: "warning",
        warning: { message: canary, detail: [canary], at: { file: "D", line: 1, text: canary } },
        at,
      },
    ];
    expect(JSON.stringify(events.flatMap((event) => mask.event(event)))).not.toContain("canary");
  });

  it("is masked in an error, its causes, its others and its excerpt", () => {
    const mask = maskOf(canary);
    const inner = new Error(`inner ${canary}`);
    const error = new KilnError("PROCESS_FAILED", `process "${canary}"`, {
      cause: inner,
      hint: canary,
      at: { file: "Dockerfile", line: 2, text: `RUN ${canary}` },
      others: [new KilnError("PROCESS_FAILED", canary)],
      details: { command: canary, exitCode: 5 },
    });
    const masked = mask.error(error) as KilnError;
    const all = [
      masked.message,
      masked.stack,
      masked.hint,
      JSON.stringify([masked.at, masked.details]),
      String(masked.cause),
      (masked.cause as Error).stack,
      masked.others[0]?.message,
    ];
    expect(all.join("\n")).not.toContain("canary");
    expect(masked).toMatchObject({ code: "PROCESS_FAILED", details: { exitCode: 5 } });
  });

  it("is learnt when the build asks for it, from a session of any make", async () => {
    class OwnSession {
      readonly #value = bytes(canary);
      secret = async () => this.#value;
      directory(): string {
        return `${this.#value.length}`;
      }
    }
    const mask = new SecretMask();
    const session = mask.watch(new OwnSession() as unknown as Session);
    expect(session.directory("x")).toBe(`${canary.length}`);
    expect(mask.text(canary)).toBe(canary);
    await session.secret("id", uncancelled);
    expect(mask.text(canary)).toBe("***");
  });
});
