// How often and how patiently a server is asked again.

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
/** Attempts at one request, or at one transfer that does not move on. */
export const maxAttempts = 8;
/** Hops from one URL to the next before it is taken for a loop. */
export const maxRedirects = 10;
