// HTTP as a client of registries and file servers needs it: connections, proxies, trust, patience.
export {
  answerMembers,
  askText,
  farawayService,
  nearbyService,
  type Question,
} from "./ask-text.ts";
export { Backoff, isTemporaryStatus, type Patience, retryAfterMilliseconds } from "./backoff.ts";
export { type ConnectionOptions, Connections, type OpenSocket } from "./connection.ts";
export {
  type ExchangeTimeouts,
  type HttpRequest,
  type HttpResponse,
  type RequestBody,
  type Route,
  SourceFailure,
} from "./exchange.ts";
export { isLoopback } from "./host-name.ts";
export { maxRedirects } from "./limits.ts";
export {
  failureWords,
  isSchemeMismatch,
  isUnknownAuthority,
  NetworkFailure,
} from "./network-error.ts";
export { proxyFor } from "./proxy.ts";
export { redirectTarget } from "./redirect.ts";
export type { HostSettings } from "./tls.ts";
