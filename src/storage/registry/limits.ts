// How patient and how greedy the client is, and how much it takes from servers that it need not trust.
import type { RegistryLimits } from "./registry.ts";

export const defaultLimits: RegistryLimits = {
  retryBudget: 120_000,
  retryDelay: 250,
  connectTimeout: 15_000,
  idleTimeout: 60_000,
  transfersPerHost: 6,
  chunkSize: 32 * 1024 * 1024,
};

/** Small requests to one host at once. */
export const requestsPerHost = 16;
/** Longest pause between two attempts, in milliseconds, unless the server asks for more. */
export const longestPause = 15_000;
/** How often a host is asked again that seems not to be there: it is more likely absent than busy. */
export const attemptsByCode: Readonly<Record<string, number>> = {
  ECONNREFUSED: 3,
  EHOSTUNREACH: 3,
  ENETUNREACH: 3,
  EAI_AGAIN: 4,
  CONNECT_TIMEOUT: 2,
};
/** Mirrors get less patience, in milliseconds: there is somebody else to ask. */
export const mirrorLimits = { retryBudget: 10_000, connectTimeout: 4000 } as const;
/** A mirror that cannot be reached is left alone for so long, in milliseconds. */
export const mirrorRest = 30_000;
/** After so many cuts in the middle of a whole upload, the next is made in pieces: something on the way may limit sizes. */
export const cutsBeforePieces = 2;
/** Attempts at one request, or at one transfer that does not move on. */
export const maxAttempts = 8;
/** Bytes read of an error's body. */
export const maxErrorBody: number = 64 * 1024;
/** Bytes read of a token server's answer. */
export const maxTokenBody: number = 1024 * 1024;
/** Longest token that is sent back, in characters. */
export const maxTokenLength: number = 48 * 1024;
/** Hops from one URL to the next before it is taken for a loop. */
export const maxRedirects = 10;
/** Characters of a registry's own words that are shown. */
export const maxMessageLength = 300;
/** Repositories that are tried as the origin of a blob to mount. */
export const maxMountCandidates = 3;
