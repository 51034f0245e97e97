// Requests of clients that mean no good: every field absent, huge, negative, out of range or contradictory.

import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { AsyncStack, abortReason, type Call } from "../../src/base/index.ts";
import { openEngine } from "../../src/engine/engine.ts";
import { control, gateway, pb } from "../../src/formats/proto/index.ts";
import { serveBuilder } from "../../src/remote/daemon/index.ts";
import {
  type Channel,
  createClient,
  createGrpcServer,
  type MethodDefinition,
  openChannel,
  rawMessage,
  StatusError,
  statusCodes,
} from "../../src/remote/grpc/index.ts";
import { describeWith } from "../kit/needs.ts";

const now = () => new Date();
/** Milliseconds in which a request must have been answered. */
const patience = 12_000;

/** More of both find more: `KILN_FUZZ_SECONDS=60`. */
const timeLimit = Number(process.env["KILN_FUZZ_SECONDS"] ?? 3) * 1000;
const runs = 1000;

/** Tries at least one example, and as many more as there is time for. */
async function tryMany<T>(examples: fc.Arbitrary<T>, holds: (one: T) => Promise<void>) {
  for (const first of fc.sample(examples, 1)) await holds(first);
  const found = await fc.check(fc.asyncProperty(examples, holds), {
    numRuns: runs,
    interruptAfterTimeLimit: timeLimit,
  });
  if (found.counterexample !== null) throw new Error(fc.defaultReportMessage(found));
}

type Codec = MethodDefinition["requestType"] & {
  create(): Record<string, unknown>;
  encode(message: never): { finish(): Uint8Array };
};

const strings = fc.oneof(
  fc.constantFrom(
    "",
    "a",
    "../../../etc/passwd",
    "\0",
    "x".repeat(100_000),
    "docker-image://",
    "%",
  ),
  fc.string({ maxLength: 40 }),
);
const numbers = fc.constantFrom(
  ...[0, 1, -1, 7, 2 ** 31 - 1, -(2 ** 31), 2 ** 53 - 1, -(2 ** 53 - 1), 1e12],
);

/** One byte string of protobuf, any fields of any type in it, messages among them. */
const wire: fc.Arbitrary<Uint8Array> = fc.letrec<{ bytes: Uint8Array }>((tie) => ({
  bytes: fc
    .array(
      fc.tuple(
        fc.integer({ min: 1, max: 20 }),
        fc.oneof(
          { depthSize: "small", withCrossShrink: true },
          fc.uint8Array({ maxLength: 20 }).map((data) => ({ type: 2, data })),
          fc
            .bigInt({ min: 0n, max: 2n ** 64n - 1n })
            .map((value) => ({ type: 0, data: varint(value) })),
          strings.map((text) => ({ type: 2, data: new TextEncoder().encode(text) })),
          tie("bytes").map((data) => ({ type: 2, data })),
        ),
      ),
      { maxLength: 8 },
    )
    .map((fields) => joined(fields.map(([field, { type, data }]) => fieldOf(field, type, data)))),
})).bytes;

function fieldOf(field: number, type: number, data: Uint8Array): Uint8Array {
  const tag = varint(BigInt(field * 8 + type));
  return joined(type === 2 ? [tag, varint(BigInt(data.length)), data] : [tag, data]);
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return Uint8Array.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) + 128);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A message with values of the right kind in its fields, and bytes that may say anything after them. */
function messages(codec: Codec): fc.Arbitrary<Uint8Array> {
  const fields = Object.entries(codec.create()).flatMap(([name, value]) => {
    const values = valuesLike(value);
    return values ? [[name, fc.option(values, { nil: value })] as const] : [];
  });
  const typed = fc.record(Object.fromEntries(fields)).map((values) => {
    try {
      return codec.encode({ ...codec.create(), ...values } as never).finish();
    } catch {
      // What cannot be put into the message, a client cannot send.
      return new Uint8Array();
    }
  });
  return fc.oneof(
    typed,
    fc.tuple(typed, wire).map((parts) => joined(parts)),
    wire,
    fc.uint8Array({ maxLength: 60 }),
  );
}

function valuesLike(value: unknown): fc.Arbitrary<unknown> | undefined {
  if (typeof value === "string") return strings;
  if (typeof value === "number") return numbers;
  if (typeof value === "boolean") return fc.boolean();
  if (value instanceof Uint8Array) return fc.uint8Array({ maxLength: 30 });
  if (value instanceof Map)
    return fc.array(fc.tuple(strings, strings), { maxLength: 3 }).map((pairs) => new Map(pairs));
  return undefined;
}

describeWith(["root"], "a daemon and requests that mean no good", () => {
  const owned = new AsyncStack();
  let accept: (socket: Duplex) => void;
  let channel: Channel;
  const lost: unknown[] = [];

  beforeAll(async () => {
    const root = mkdtempSync(join(tmpdir(), "kiln-hostile-requests-"));
    owned.defer(() => rmSync(root, { recursive: true, force: true }));
    const hosts = { "docker.io": { mirrors: ["127.0.0.1:1"] } };
    const engine = owned.use(await openEngine({ root, hosts, version: "0.0.0", now }));
    const version = { package: "kiln", version: "v0.0.0", revision: "" };
    const services = serveBuilder(engine, { workerId: "hostile", version, now });
    const server = owned.use(createGrpcServer(services, { onError: (error) => lost.push(error) }));
    accept = (socket) => void server.accept(socket);
  });

  beforeEach(() => {
    const [near, far] = duplexPair();
    accept(far);
    channel = owned.use(openChannel(near));
  });

  afterAll(async () => {
    await owned[Symbol.asyncDispose]();
  });

  const info = () =>
    createClient(control.ControlDefinition, channel).info(
      {},
      { signal: AbortSignal.timeout(5000) },
    );

  /** The call's end in one word. Streams that would go on for ever are left after some time. */
  async function outcome(
    service: typeof control.ControlDefinition | typeof gateway.LLBBridgeDefinition,
    method: MethodDefinition,
    bytes: Uint8Array,
    build: string,
  ): Promise<string> {
    const raw = { ...method, requestType: rawMessage, responseType: rawMessage };
    const client = createClient({ ...service, methods: { one: raw } } as never, channel);
    const gone = new AbortController();
    const timer = setTimeout(() => gone.abort(abortReason("too long")), patience);
    const leave = method.responseStream
      ? setTimeout(() => gone.abort(abortReason("left")), 60)
      : undefined;
    const metadata = new Map([["buildkit-controlapi-buildid", [build]]]);
    const call = { signal: gone.signal, sendMetadata: metadata };
    const asked = method.requestStream
      ? (async function* () {
          yield bytes;
        })()
      : bytes;
    try {
      const one = (client as { one(request: unknown, call: unknown): unknown }).one(asked, call);
      if (method.responseStream) for await (const _ of one as AsyncIterable<unknown>);
      else await one;
      return "ok";
    } catch (error) {
      if (gone.signal.aborted) return gone.signal.reason.message;
      expect(error).toBeInstanceOf(StatusError);
      const { code, message } = error as StatusError;
      expect(message).not.toBe("");
      // grpc-go calls this internal, too.
      if (message.startsWith("malformed message")) return "refused";
      // Internal errors are those that nobody has thought of.
      if (code === statusCodes.INTERNAL || /undefined|is not a function|Cannot read/.test(message))
        throw new Error(`${method.name} failed from within: ${message}`, { cause: error });
      return "refused";
    } finally {
      clearTimeout(timer);
      clearTimeout(leave);
    }
  }

  it.each(Object.values(control.ControlDefinition.methods).map((one) => [one.name, one] as const))(
    "Control.%s answers",
    { timeout: 300_000 },
    async (_name, method) => {
      const codec = method.requestType as unknown as Codec;
      await tryMany(messages(codec), async (bytes) => {
        const end = await outcome(control.ControlDefinition, method, bytes, "");
        expect(end).not.toBe("too long");
        await info();
      });
    },
  );

  it.each(
    Object.values(gateway.LLBBridgeDefinition.methods)
      .filter(({ name }) => name !== "Return")
      .map((one) => [one.name, one] as const),
  )("LLBBridge.%s answers", { timeout: 300_000 }, async (_name, method) => {
    const ref = randomUUID();
    const gone = new AbortController();
    const call: Call = { signal: gone.signal };
    const solving = createClient(control.ControlDefinition, channel).solve(
      control.SolveRequest.create({ Ref: ref }),
      call,
    );
    solving.catch(() => {});
    const codec = method.requestType as unknown as Codec;
    await tryMany(messages(codec), async (bytes) => {
      expect(await outcome(gateway.LLBBridgeDefinition, method, bytes, ref)).not.toBe("too long");
      await info();
    });
    gone.abort(abortReason("enough"));
    await expect(solving).rejects.toThrow();
  });

  it("says what is wrong with requests that contradict themselves", async () => {
    const client = createClient(control.ControlDefinition, channel);
    const definition = pb.Definition.create({ def: [Uint8Array.of(1)] });
    const contradictions: readonly [Parameters<typeof control.SolveRequest.create>[0], RegExp][] = [
      [{ Ref: "" }, /Ref/],
      [{ Ref: "x".repeat(1000) }, /Ref/],
      [{ Ref: "a", Frontend: "dockerfile.v0", Definition: definition }, /either/],
      [{ Ref: "b", Frontend: "nothing.v9" }, /invalid frontend/],
      [{ Ref: "c", Definition: definition }, /definition|op/],
      [{ Ref: "e", CompatibilityVersion: -1 }, /compatibility/],
      [{ Ref: "f", SourcePolicySession: "nobody" }, /nobody/],
      [{ Ref: "g", SourcePolicy: { rules: [{ action: 9 as never }] } }, /policy/],
      [{ Ref: "h", SourcePolicy: { version: 9, rules: [] } }, /version 9/],
      [{ Ref: "i", Entitlements: ["root"], Frontend: "dockerfile.v0" }, /entitlement/],
      [{ Ref: "j", Frontend: "dockerfile.v0", Exporters: [{ Type: "floppy" }] }, /floppy/],
    ];
    for (const [request, words] of contradictions) {
      const message = control.SolveRequest.create(request);
      await expect(
        client.solve(message, { signal: AbortSignal.timeout(patience) }),
      ).rejects.toThrow(words);
    }
  });
});
