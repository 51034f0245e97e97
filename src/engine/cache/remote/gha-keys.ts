// Which entries a repository's cache has, by GitHub's own API: one question for a hundred, where the service takes few of them.
import type { Attrs } from "../../../api/index.ts";
import { type Call, isKilnError, isRecord, log } from "../../../base/index.ts";
import { badCacheAttribute } from "./attributes.ts";
import type { ObjectsHttp } from "./objects-http.ts";

const debug = log("cache");

const perPage = 100;
/** GitHub keeps 10 GB for a repository: more pages than this are no list of layers. */
const maxPages = 100;
const maxAnswer = 4 * 1024 * 1024;

/** Keys that begin so, asked for once. */
export type ListedKeys = (prefix: string, call: Call) => Promise<ReadonlySet<string>>;

/**
 * Undefined where `ghtoken` is not given: then each entry is asked for by itself. `scopes` are the branches whose entries the
 * workflow may read. Throws `FLAG_INVALID`.
 */
export function listedKeys(
  { ghtoken: token, repository }: Attrs,
  scopes: ReadonlySet<string>,
  env: Readonly<Record<string, string | undefined>>,
  http: ObjectsHttp,
): ListedKeys | undefined {
  if (!token) return undefined;
  if (!repository || !/^[\w.-]+\/[\w.-]+$/.test(repository))
    throw badCacheAttribute("ghtoken", "it goes with repository=OWNER/NAME");
  const base = env["GITHUB_API_URL"] || "https://api.github.com";
  let known: Promise<ReadonlySet<string>> | undefined;
  return (prefix, call) => {
    const address = `${base}/repos/${repository}/actions/caches`;
    known ??= list({ address, prefix, token, scopes }, http, call);
    return known;
  };
}

/** Empty where the list is not to be had: asking for each entry does as well, only slower. */
async function list(
  {
    address,
    prefix,
    token,
    scopes,
  }: {
    readonly address: string;
    readonly prefix: string;
    readonly token: string;
    readonly scopes: ReadonlySet<string>;
  },
  http: ObjectsHttp,
  call: Call,
): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  const headers = () => ({
    authorization: `Bearer ${token}`,
    accept: "application/vnd.github+json",
    "x-github-api-version": "2022-11-28",
    "user-agent": "kiln",
  });
  try {
    for (let page = 1; page <= maxPages; page++) {
      const url = new URL(address);
      const query = { per_page: String(perPage), page: String(page), key: prefix };
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      const doing = "listing the repository's caches";
      const response = await http.send({ method: "GET", url, headers, doing, attempts: 2 }, call);
      const text = new TextDecoder().decode(await response.readUpTo(maxAnswer, call));
      const answer: unknown = JSON.parse(text);
      const entries = isRecord(answer) ? answer["actions_caches"] : undefined;
      const found = Array.isArray(entries) ? entries.filter(isRecord) : [];
      for (const { key, ref } of found)
        if (typeof key === "string" && scopes.has(String(ref))) keys.add(key);
      if (found.length < perPage) break;
    }
  } catch (error) {
    call.signal.throwIfAborted();
    if (!isKilnError(error) && !(error instanceof SyntaxError)) throw error;
    debug.debug("the caches could not be listed", { error: String(error) });
  }
  return keys;
}
