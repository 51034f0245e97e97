// Moving one blob from wherever it can be read to wherever it can be written.
import type { Call } from "../../base/index.ts";
import type { Descriptor } from "../../formats/oci/index.ts";
import type { BlobSink, BlobSource } from "./content.ts";

/** Copies `blob` unless `to` has it already. Size and digest are checked on the way. */
export async function copyBlob(
  blob: Descriptor,
  from: BlobSource,
  to: BlobSink,
  call: Call,
): Promise<void> {
  await to.write(blob, () => from.read(blob, call), call);
}
