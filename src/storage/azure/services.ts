// What Azure's services answer with: tokens, and why there is none.
import { type Call, KilnError } from "../../base/index.ts";
import {
  answerMembers,
  askText,
  type Connections,
  type HttpRequest,
  type Question,
} from "../http/index.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface AzureToken {
  /** Secret: whoever has it is this identity. */
  readonly value: string;
  readonly expires: Date;
}

export interface AzureWorld {
  readonly env: Environment;
  /** To Azure itself. What is next door is asked directly, whatever proxies there are. */
  readonly connections: Connections;
  readonly now: () => Date;
}

/** What tokens are asked for. */
export const storageResource = "https://storage.azure.com/";

/** `whose` token it is, for messages. Throws `CACHE_FAILED`. */
export async function askToken(
  request: HttpRequest,
  whose: string,
  patience: Question["patience"],
  { connections, now }: AzureWorld,
  call: Call,
): Promise<AzureToken> {
  const doing = `asking Azure for a token of ${whose}`;
  const answer = await askText(request, { doing, patience, connections, reason }, call);
  const token = tokenOf(answer, now());
  if (token) return token;
  throw new KilnError("CACHE_FAILED", `${doing}: ${request.url.host} told none`);
}

/** The code of an OAuth error, and the first line of its description: the rest are identifiers of the request. */
function reason(answer: string): string {
  const { error, error_description: text } = answerMembers(answer);
  const [line = ""] = typeof text === "string" ? text.split(/[\r\n]/) : [];
  const code = typeof error === "string" ? error : "";
  return [code, line].filter(Boolean).join(": ").slice(0, 400);
}

/** `expires_in` is seconds from now, `expires_on` seconds since 1970; services give them as numbers and as text. */
function tokenOf(answer: string, now: Date): AzureToken | undefined {
  const { access_token: value, expires_in: left, expires_on: end } = answerMembers(answer);
  if (typeof value !== "string" || value === "") return undefined;
  const seconds = end === undefined ? now.getTime() / 1000 + Number(left) : Number(end);
  if (!Number.isFinite(seconds)) return undefined;
  return { value, expires: new Date(seconds * 1000) };
}
