// A registry client for tests: impatient, without the machine's proxies and credentials.
import { type Bytes, type Call, concatBytes, uncancelled } from "../../src/base/index.ts";
import {
  createRegistry,
  type RegistryClient,
  type RegistryOptions,
} from "../../src/storage/registry/index.ts";

export const call: Call = uncancelled;

export function testClient(options: Partial<RegistryOptions> = {}): RegistryClient {
  return createRegistry({
    credentials: async () => undefined,
    hosts: {},
    userAgent: "kiln-test",
    environment: {},
    ...options,
    limits: {
      retryBudget: 3000,
      retryDelay: 2,
      connectTimeout: 2000,
      idleTimeout: 2000,
      ...options.limits,
    },
  });
}

export async function gather(data: Bytes): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of data) chunks.push(chunk);
  return concatBytes(chunks);
}

/** `size` bytes that differ from place to place, the same every time. */
export function someBytes(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

/** In pieces of 64 KiB, as files are read; counts how often it was opened. */
export function source(bytes: Uint8Array): { open: () => Bytes; opened: () => number } {
  let opened = 0;
  return {
    opened: () => opened,
    async *open() {
      opened++;
      for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536);
    },
  };
}
