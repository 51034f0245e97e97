// Files that a daemon keeps, by digest.
import type { Call } from "../../../base/index.ts";
import { content } from "../../../formats/proto/index.ts";
import { createClient } from "../../../remote/grpc/index.ts";
import type { Output } from "../../report/index.ts";
import type { Daemon } from "./connection.ts";

/** Writes a file of the daemon's content store to `out`. */
export async function writeBlob(
  { channel }: Daemon,
  digest: string,
  out: Output,
  call: Call,
): Promise<void> {
  const store = createClient(content.ContentDefinition, channel);
  for await (const { data } of store.read({ digest, offset: 0, size: 0 }, call)) out.write(data);
}
