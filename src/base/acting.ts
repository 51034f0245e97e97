// On whose behalf the running code works, where that is not handed down: it follows what is awaited.
import { AsyncLocalStorage } from "node:async_hooks";

// Following what is awaited makes every promise of the process slower. As long as one owner works at a time, which is so
// in a command that builds once, remembering that one says the same.
let sole: { readonly owner: object; running: number } | undefined;
let storage: AsyncLocalStorage<object> | undefined;

/** From here on, several owners may work at once, and none of them may ever be taken for another. */
export function tellActorsApart(): void {
  storage ??= new AsyncLocalStorage();
}

/** Runs `work`, and all that it begins, for `owner`. */
export function actingFor<T>(owner: object, work: () => T): T {
  if (sole !== undefined && sole.owner !== owner) tellActorsApart();
  if (storage !== undefined) return storage.run(owner, work);
  const acting = sole ?? { owner, running: 0 };
  sole = acting;
  acting.running++;
  const end = () => {
    if (--acting.running === 0 && sole === acting) sole = undefined;
  };
  try {
    const result = work();
    if (result instanceof Promise) result.then(end, end);
    else end();
    return result;
  } catch (error) {
    end();
    throw error;
  }
}

/** Whom the running code works for: of shared work, whoever asked for it first. Undefined where nobody was named. */
export function actor(): object | undefined {
  return storage?.getStore() ?? sole?.owner;
}
