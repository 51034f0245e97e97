// Where caches come from and go to: --cache-from and --cache-to, with what the environment adds to them.
import { resolve } from "node:path";
import type { ExportRequest } from "../../../api/index.ts";
import { parseBool } from "../../../base/index.ts";
import { type CacheEntry, type Flags, parseCacheEntries } from "../../flags/index.ts";
import type { RunWorld } from "../command.ts";
import type { BuildFlags } from "./flags.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What a build is asked to import and to export. */
export interface WantedCacheEntries {
  readonly cacheImports: readonly ExportRequest[];
  readonly cacheExports: readonly ExportRequest[];
}

/** Directories become absolute. A cache of GitHub Actions is left out where no workflow runs, as buildx does. */
export function wantedCaches(
  { values }: Flags<BuildFlags>,
  { env, cwd }: { readonly env: Environment; readonly cwd: string },
): WantedCacheEntries {
  const complete = (entries: readonly CacheEntry[]) =>
    entries.map((entry) => completeEntry(entry, env, cwd)).filter(isActive);
  return {
    cacheImports: complete(parseCacheEntries(values["cache-from"], "--cache-from")),
    cacheExports: complete(parseCacheEntries(values["cache-to"], "--cache-to")),
  };
}

/** Paths become absolute; what the environment says of a cache is added where the entry does not. */
export function completeEntry(
  { type, attrs }: CacheEntry,
  env: Environment,
  cwd: string,
): CacheEntry {
  if (type === "local") {
    const { src, dest } = attrs;
    const absolute = {
      ...(src ? { src: resolve(cwd, src) } : {}),
      ...(dest ? { dest: resolve(cwd, dest) } : {}),
    };
    return { type, attrs: { ...attrs, ...absolute } };
  }
  const defaults = environmentOf[type]?.(attrs, env) ?? {};
  const known = Object.entries(defaults).filter(([, value]) => value !== undefined && value !== "");
  return { type, attrs: { ...(Object.fromEntries(known) as typeof attrs), ...attrs } };
}

const environmentOf: Readonly<
  Record<string, (attrs: CacheEntry["attrs"], env: Environment) => Environment>
> = {
  gha: (attrs, env) => {
    const second = parseBool(env["ACTIONS_CACHE_SERVICE_V2"] ?? "") ? "2" : undefined;
    const version = attrs["version"] ?? second;
    const [first, results] = [env["ACTIONS_CACHE_URL"], env["ACTIONS_RESULTS_URL"]];
    return {
      token: env["ACTIONS_RUNTIME_TOKEN"],
      version,
      url: first || results,
      // Servers of their own may have results and no second version of the cache.
      url_v2: version === "2" || (!first && version !== "1") ? results : undefined,
      repository: env["GITHUB_REPOSITORY"],
    };
  },
  s3: (attrs, env) => ({
    region: env["AWS_REGION"] ?? env["AWS_DEFAULT_REGION"],
    bucket: env["AWS_BUCKET"],
    // Halves of two accounts make none.
    ...(attrs["access_key_id"] === undefined
      ? {
          access_key_id: env["AWS_ACCESS_KEY_ID"],
          secret_access_key: env["AWS_SECRET_ACCESS_KEY"],
          session_token: env["AWS_SESSION_TOKEN"],
        }
      : {}),
  }),
  azblob: (_attrs, env) => ({
    account_url: env["BUILDKIT_AZURE_STORAGE_ACCOUNT_URL"],
    account_name: env["BUILDKIT_AZURE_STORAGE_ACCOUNT_NAME"],
    container: env["BUILDKIT_AZURE_STORAGE_CONTAINER"],
    secret_access_key: env["BUILDKIT_AZURE_STORAGE_SECRET_ACCESS_KEY"],
  }),
};

/**
 * Who this side is to AWS, for builders elsewhere: they have no way to find it out. Entries that name keys stay as they are.
 */
export async function lendAwsKeys(
  entries: readonly ExportRequest[],
  { env, now, call }: Pick<RunWorld, "env" | "now" | "call">,
): Promise<readonly ExportRequest[]> {
  const bare = ({ type, attrs }: ExportRequest) => type === "s3" && !attrs["access_key_id"];
  if (!entries.some(bare)) return entries;
  const { awsRegion, createAwsIdentity } = await import("../../../storage/aws/index.ts");
  const { Connections } = await import("../../../storage/http/index.ts");
  using connections = new Connections(env);
  const keys = await createAwsIdentity({ env, now, connections }).keys(call);
  const region = awsRegion(env);
  return entries.map((entry) =>
    bare(entry)
      ? {
          type: entry.type,
          attrs: {
            ...(region ? { region } : {}),
            ...(keys ? { access_key_id: keys.id, secret_access_key: keys.secret } : {}),
            ...(keys?.token ? { session_token: keys.token } : {}),
            ...entry.attrs,
          },
        }
      : entry,
  );
}

function isActive({ type, attrs }: CacheEntry): boolean {
  if (type !== "gha") return true;
  return Boolean(attrs["token"] && (attrs["url"] || attrs["url_v2"]));
}
