// All of a metadata store as text, for people who look for a mistake.
import { fromNodeError } from "../../base/index.ts";

/** One value as it is written. */
export interface DumpedEntry {
  readonly table: string;
  readonly key: string;
  readonly text: string;
}

/** Everything in the store at `directory`, by table and key. Others may have it open; nothing is written. */
export async function dumpMetadata(directory: string): Promise<readonly DumpedEntry[]> {
  try {
    const { open } = await import("lmdb");
    const database = open<string, string>({ path: directory, encoding: "string", readOnly: true });
    try {
      return [...database.getRange({})].map(({ key, value }) => {
        const at = key.indexOf("/");
        return { table: key.slice(0, at), key: key.slice(at + 1), text: value };
      });
    } finally {
      await database.close();
    }
  } catch (error) {
    throw fromNodeError(error, `opening ${directory}`);
  }
}
