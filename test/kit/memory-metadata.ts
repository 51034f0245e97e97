// The metadata store in memory, for tests of what is kept in it.
import type { Metadata, MetadataTable } from "../../src/storage/metadata/index.ts";

export function memoryMetadata(): Metadata {
  const tables = new Map<string, Map<string, string>>();
  return {
    table<Value>(name: string): MetadataTable<Value> {
      const rows = tables.get(name) ?? new Map<string, string>();
      tables.set(name, rows);
      return {
        get: (key) => {
          const text = rows.get(key);
          return text === undefined ? undefined : (JSON.parse(text) as Value);
        },
        range: (prefix) =>
          [...rows]
            .filter(([key]) => key.startsWith(prefix))
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, text]) => ({ key, value: JSON.parse(text) as Value })),
        put: (key, value) => void rows.set(key, JSON.stringify(value)),
        delete: (key) => void rows.delete(key),
      };
    },
    transaction: (work) => work(),
    refresh() {},
    async [Symbol.asyncDispose]() {},
  };
}
