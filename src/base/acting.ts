// On whose behalf the running code works, where that is not handed down: it follows what is awaited.
import { AsyncLocalStorage } from "node:async_hooks";

const storage: AsyncLocalStorage<object> = new AsyncLocalStorage();

/** Runs `work`, and all that it begins, for `owner`. */
export function actingFor<T>(owner: object, work: () => T): T {
  return storage.run(owner, work);
}

/** Whom the running code works for: of shared work, whoever asked for it first. Undefined where nobody was named. */
export function actor(): object | undefined {
  return storage.getStore();
}
