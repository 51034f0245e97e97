// Failures as clients of the reference expect them: gRPC statuses with typed details.
import { isAbortError, isKilnError } from "../../base/index.ts";
import { type FailureFacts, wireError } from "../../engine/history/index.ts";
import { StatusError } from "../grpc/index.ts";
import { fitDetails } from "./fit-details.ts";

/** Cancellation passes, for the call to tell. */
export function toStatus(error: unknown, facts: FailureFacts = {}): unknown {
  if (error instanceof StatusError) return fitDetails(error);
  if (isAbortError(error) || !isKilnError(error)) return error;
  const { code, message, details } = wireError(error, facts);
  return fitDetails(new StatusError(code, message, details));
}
