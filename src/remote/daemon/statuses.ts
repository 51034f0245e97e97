// Failures as clients of the reference expect them: gRPC statuses with typed details.
import { type Digest, isAbortError, isKilnError } from "../../base/index.ts";
import { wireError } from "../../engine/history/index.ts";
import { StatusError } from "../grpc/index.ts";

/** `failed` is the step that the error is of, where it is of one. Cancellation passes, for the call to tell. */
export function toStatus(error: unknown, failed?: Digest): unknown {
  if (error instanceof StatusError || isAbortError(error) || !isKilnError(error)) return error;
  const { code, message, details } = wireError(error, failed);
  return new StatusError(code, message, details);
}
