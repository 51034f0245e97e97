// Methods of a service as functions, by its definition.
import { StatusError, statusCodes } from "./status.ts";
import type { Channel, Client, ClientCall, MethodDefinition, ServiceDefinition } from "./types.ts";

/** Costs nothing until a method is called. Methods throw `StatusError`, or the reason of a cancelled call. */
export function createClient<S extends ServiceDefinition>(
  definition: S,
  channel: Channel,
): Client<S> {
  const methods = Object.entries(definition.methods).map(([key, method]) => [
    key,
    methodOf(`/${definition.fullName}/${method.name}`, method, channel),
  ]);
  return Object.fromEntries(methods) as Client<S>;
}

function methodOf(path: string, definition: MethodDefinition, { connection }: Channel) {
  const start = (input: unknown, call: ClientCall) =>
    connection.call(
      path,
      definition,
      definition.requestStream ? (input as AsyncIterable<unknown>) : one(input),
      call,
    );
  if (definition.responseStream) return start;
  return async (input: unknown, call: ClientCall) => await only(start(input, call));
}

async function* one(message: unknown): AsyncIterable<unknown> {
  yield message;
}

/** The answer of a method that gives one; a status that is not OK comes after it and counts. */
async function only(answers: AsyncIterable<unknown>): Promise<unknown> {
  let found: { readonly answer: unknown } | undefined;
  for await (const answer of answers) {
    if (found) throw new StatusError(statusCodes.INTERNAL, "more than one answer to a unary call");
    found = { answer };
  }
  if (found) return found.answer;
  throw new StatusError(statusCodes.INTERNAL, "the call ended well, but without an answer");
}
