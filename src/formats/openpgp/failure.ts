// What is said of OpenPGP data that cannot be read, and of signatures that do not hold.
import { KilnError } from "../../base/index.ts";

/** `why` says what is wrong, in words that follow a colon. */
export function openPgpInvalid(why: string): KilnError {
  return new KilnError("SIGNATURE_INVALID", `OpenPGP: ${why}`);
}
