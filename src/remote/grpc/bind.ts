// Joins a service's definition with what serves it.
import type { Implementation, Service, ServiceDefinition } from "./types.ts";

/** A service ready to be served. Methods that `implementation` leaves out are answered with UNIMPLEMENTED. */
export function bind<S extends ServiceDefinition>(
  definition: S,
  implementation: Implementation<S>,
): Service {
  const handlers = implementation as Readonly<Record<string, unknown>>;
  const methods = Object.entries(definition.methods).flatMap(([key, method]) => {
    const handler = handlers[key];
    if (handler === undefined) return [];
    const path = `/${definition.fullName}/${method.name}`;
    return [{ path, service: definition.fullName, definition: method, handler }];
  });
  return { definition, methods };
}
