// Objects that are too large for one request: written in parts, and written anew where they lie.
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type Bytes, type Call, KilnError, Limiter, runAll } from "../../../base/index.ts";
import { pieces } from "./byte-pieces.ts";
import { bytesBody } from "./objects-http.ts";
import type { S3Client } from "./s3-client.ts";

/** Up to here an object is sent at one go: what is cut is sent again from the start. S3 itself takes 5 GB. */
export const wholeLimit: number = 256 * 1024 * 1024;
/** Size of a part, in bytes, where no more than `mostParts` are needed. Parts are held in memory. */
const usualPart = 32 * 1024 * 1024;
const mostParts = 10_000;
/** Parts of one object on their way at once. */
const partsAtOnce = 2;
/** The largest object that S3 copies in one request, in bytes. */
const copyLimit = 5 * 1024 * 1024 * 1024;
/** Part of a larger one. */
const copyPart: number = 1024 * 1024 * 1024;
const maxAnswer = 64 * 1024;

interface Part {
  readonly number: number;
  readonly tag: string;
}

/** The object is there when all parts are; a failure leaves nothing of it behind. */
export async function writeInParts(
  client: S3Client,
  { key, size, doing }: { readonly key: string; readonly size: number; readonly doing: string },
  data: () => Bytes,
  call: Call,
  partSize: number = Math.max(usualPart, Math.ceil(size / mostParts)),
): Promise<void> {
  await inParts(client, { key, doing }, call, async (upload) => {
    const limiter = new Limiter(partsAtOnce);
    const parts: Promise<Part>[] = [];
    let failed: unknown;
    for await (const piece of pieces(data(), partSize)) {
      const number = parts.length + 1;
      const permit = await limiter.acquire(call);
      if (failed !== undefined) break;
      const payload = createHash("sha256").update(piece).digest("hex");
      const query = { partNumber: String(number), uploadId: upload };
      const sent = client
        .send({ method: "PUT", key, query, payload, body: bytesBody(piece), doing }, call)
        .then((response) => {
          response.discard();
          return { number, tag: tagOf(response.headers.etag, doing) };
        })
        .finally(() => permit[Symbol.dispose]());
      sent.catch((error: unknown) => {
        failed ??= error;
      });
      parts.push(sent);
    }
    return await Promise.all(parts);
  });
}

/** Gives an object today's date without sending it. */
export async function touchObject(
  client: S3Client,
  key: string,
  size: number,
  call: Call,
): Promise<void> {
  const doing = `refreshing ${key}`;
  const source = { "x-amz-copy-source": encodeURI(`${client.bucket}/${key}`) };
  if (size <= copyLimit) {
    const headers = { ...source, "x-amz-metadata-directive": "REPLACE" };
    const response = await client.send({ method: "PUT", key, headers, doing }, call);
    answerOf(await response.readUpTo(maxAnswer, call), doing);
    return;
  }
  const count = Math.ceil(size / copyPart);
  await inParts(client, { key, doing }, call, (upload) =>
    runAll(
      Array.from({ length: count }, (_, index) => index),
      async (index, c) => {
        const last = Math.min(size, (index + 1) * copyPart) - 1;
        const headers = {
          ...source,
          "x-amz-copy-source-range": `bytes=${index * copyPart}-${last}`,
        };
        const query = { partNumber: String(index + 1), uploadId: upload };
        const response = await client.send({ method: "PUT", key, query, headers, doing }, c);
        const answer = answerOf(await response.readUpTo(maxAnswer, c), doing);
        return { number: index + 1, tag: tagOf(element(answer, "ETag"), doing) };
      },
      call,
    ),
  );
}

async function inParts(
  client: S3Client,
  { key, doing }: { readonly key: string; readonly doing: string },
  call: Call,
  send: (upload: string) => Promise<readonly Part[]>,
): Promise<void> {
  const begun = await client.send({ method: "POST", key, query: { uploads: "" }, doing }, call);
  const upload = element(answerOf(await begun.readUpTo(maxAnswer, call), doing), "UploadId");
  if (!upload) throw new KilnError("CACHE_FAILED", `${doing}: the store began no upload`);
  const query = { uploadId: upload };
  try {
    const parts = await send(upload);
    const list = parts.map(
      ({ number, tag }) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`,
    );
    const text = `<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`;
    const data = new TextEncoder().encode(text);
    const payload = createHash("sha256").update(data).digest("hex");
    const request = { method: "POST", key, query, payload, body: bytesBody(data), doing } as const;
    answerOf(await (await client.send(request, call)).readUpTo(maxAnswer, call), doing);
  } catch (error) {
    // Parts that nobody completes cost money until somebody finds them.
    const abort = { method: "DELETE", key, query, doing, expected: [404] } as const;
    const last = { signal: AbortSignal.timeout(abortTime) };
    await client.send(abort, last).then(
      (response) => response.discard(),
      () => undefined,
    );
    throw error;
  }
}

/** How long giving up an upload may take, in milliseconds. */
const abortTime = 10_000;

/** S3 may find out that it failed when it has said 200 already. */
function answerOf(data: Uint8Array, doing: string): string {
  const text = Buffer.from(data).toString("utf8");
  const code = /<Error>/.test(text) ? (element(text, "Code") ?? "unknown") : undefined;
  if (code === undefined) return text;
  throw new KilnError("CACHE_FAILED", `${doing}: the store failed (${code.slice(0, 100)})`);
}

function element(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]{1,2048})</${name}>`).exec(xml)?.[1]?.replaceAll("&quot;", '"');
}

function tagOf(tag: string | undefined, doing: string): string {
  if (tag) return tag;
  throw new KilnError("CACHE_FAILED", `${doing}: the store did not name a part`);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
