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
/** Mirrors get less patience, in milliseconds: there is somebody else to ask. */
export const mirrorLimits = { retryBudget: 10_000, connectTimeout: 4000 } as const;
/** A mirror that cannot be reached is left alone for so long, in milliseconds. */
export const mirrorRest = 30_000;
/** After so many cuts in the middle of a whole upload, the next is made in pieces: something on the way may limit sizes. */
export const cutsBeforePieces = 2;
/** Places of one foreign layer that are tried. */
export const maxLayerUrls = 8;
/** Bytes read of an error's body. */
export const maxErrorBody: number = 64 * 1024;
/** Bytes read of a token server's answer. */
export const maxTokenBody: number = 1024 * 1024;
/** Longest token that is sent back, in characters. */
export const maxTokenLength: number = 48 * 1024;
/** Characters of a registry's own words that are shown. */
export const maxMessageLength = 300;
/** Tags asked for at once. */
export const tagsPerPage = 1000;
/** Pages of one listing: a registry must not keep us turning them for ever. */
export const maxListPages = 1000;
/** Descriptors that may refer to one image. */
export const maxReferrers = 10_000;
/** The largest piece of an upload that a registry can insist on, in bytes. */
export const maxChunkMinimum: number = 1024 * 1024 * 1024;
/** Repositories that are tried as the origin of a blob to mount. */
export const maxMountCandidates = 3;
