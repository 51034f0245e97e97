// Whether a downloaded file was signed by one of the keys that its source names (BuildKit http.sig.pubkey, http.sig.signature).
import { type Call, KilnError } from "../../../base/index.ts";
import type { ContentStore } from "../../../storage/content/index.ts";
import type { HttpRequest } from "./attributes.ts";
import type { HttpRecord } from "./records.ts";

/**
 * Reads the whole file again, from the store. Throws `SIGNATURE_INVALID` unless one of the keys made the signature over
 * it. As the reference has it, a key that has expired since still counts for what it signed before.
 */
export async function checkSignature(
  { digest, size }: HttpRecord,
  { url, signature }: HttpRequest,
  { content }: { readonly content: ContentStore },
  call: Call,
): Promise<void> {
  if (!signature) return;
  // Few builds have signatures, and this is all that needs to know how they are made.
  const { DetachedCheck } = await import("../../../formats/openpgp/index.ts");
  try {
    const check = new DetachedCheck(signature.signature, signature.keys, { now: new Date() });
    const blob = { mediaType: "application/octet-stream", digest, size };
    for await (const chunk of content.read(blob, call)) check.update(chunk);
    check.finish();
  } catch (error) {
    if (!(error instanceof KilnError) || error.code !== "SIGNATURE_INVALID") throw error;
    const { hint } = error;
    throw new KilnError("SIGNATURE_INVALID", `${url.href}: ${error.message}`, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}
