// A cache store that cannot hurt: what fails is a miss.
import { log } from "../../base/index.ts";
import type { CacheStore } from "./cache-store.ts";

const debug = log("solver");

/** The same store, but failures count as "not found" and "not saved"; cancellation passes. */
export function advisory<Result>(store: CacheStore<Result>): CacheStore<Result> {
  const orElse = async <T>(
    doing: string,
    work: () => Promise<T>,
    otherwise: T,
    call: { readonly signal: AbortSignal },
  ): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      call.signal.throwIfAborted();
      debug.debug(`cache ${store.id}: ${doing} failed`, { error: String(error) });
      return otherwise;
    }
  };
  return {
    id: store.id,
    query: (from, link, call) => orElse("query", () => store.query(from, link, call), [], call),
    records: (key, call) => orElse("records", () => store.records(key, call), [], call),
    load: (record, call) => orElse("load", () => store.load(record, call), undefined, call),
    link: (entry, call) => orElse("link", () => store.link(entry, call), undefined, call),
    save: (entry, step, result, call) =>
      orElse("save", () => store.save(entry, step, result, call), undefined, call),
  };
}
