// --policy and EXPERIMENTAL_BUILDKIT_SOURCE_POLICY: rules in JSON, or a module of JavaScript that decides.
import { createRequire } from "node:module";
import { extname, resolve } from "node:path";
import type {
  BuildRequest,
  CheckSource,
  SourceDecision,
  SourcePolicy,
} from "../../../api/index.ts";
import { type Call, isRecord, KilnError, readCsv } from "../../../base/index.ts";
import { readSourcePolicy } from "../buildctl/source-policy.ts";

type Wanted = Pick<BuildRequest, "sourcePolicies" | "checkSource">;

const attributes = ["filename", "reset", "disabled", "strict", "log-level"];

/** What the request is to say of its sources. Throws `FLAG_INVALID`, and `UNSUPPORTED` for policies in Rego. */
export async function wantedPolicies(
  flags: readonly string[],
  {
    env,
    cwd,
  }: { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string },
): Promise<Wanted> {
  const variable = env["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"];
  const files = [...(variable ? [variable] : []), ...filesOf(flags)].map((file) =>
    resolve(cwd, file),
  );
  const policies: SourcePolicy[] = [];
  const checks: CheckSource[] = [];
  for (const file of files) {
    if (extname(file) === ".rego") throw noRego(file);
    if (/\.[cm]?[jt]s$/.test(file)) checks.push(loadCheck(file));
    else {
      // What speaks with clients takes longer to load than most builds' first steps.
      const { readPolicies } = await import("../../../remote/session/index.ts");
      policies.push(...readPolicies([readSourcePolicy(file)]));
    }
  }
  return {
    ...(policies.length > 0 ? { sourcePolicies: policies } : {}),
    ...(checks.length > 0 ? { checkSource: inTurn(checks) } : {}),
  };
}

/** Files of the flags, in order; `reset` forgets those before, `disabled` all. */
function filesOf(flags: readonly string[]): readonly string[] {
  let files: string[] = [];
  for (const flag of flags) {
    const fields = new Map(
      readCsv(flag).map((field): [string, string] => {
        const at = field.indexOf("=");
        return at < 0 ? ["filename", field] : [field.slice(0, at), field.slice(at + 1)];
      }),
    );
    for (const name of fields.keys())
      if (!attributes.includes(name))
        throw invalid(flag, `${name} is not known; there are ${attributes.join(", ")}`);
    if (isTrue(fields.get("reset"))) files = [];
    if (isTrue(fields.get("disabled"))) return [];
    const filename = fields.get("filename");
    if (filename) files.push(filename);
  }
  return files;
}

function isTrue(value: string | undefined): boolean {
  return value === "true" || value === "1" || value === "";
}

function noRego(file: string): KilnError {
  return new KilnError(
    "UNSUPPORTED",
    `--policy: ${file} is written in Rego, which is not evaluated`,
    {
      hint: "Write the rules as JSON, or as a module of JavaScript whose default export decides.",
    },
  );
}

/** The default export: a function of a source that answers true, false, words for a refusal, or another source. */
function loadCheck(file: string): CheckSource {
  let loaded: unknown;
  try {
    loaded = createRequire(file)(file);
  } catch (cause) {
    throw invalid(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
  const decide = isRecord(loaded) ? loaded["default"] : undefined;
  if (typeof decide !== "function") throw invalid(file, "its default export is no function");
  return async (meta, platform): Promise<SourceDecision> => {
    const answer: unknown = await decide({ ...meta.source, ...meta, platform });
    if (answer === true) return { action: "ALLOW" };
    if (answer === false || answer === undefined) return { action: "DENY", messages: [] };
    if (typeof answer === "string") return { action: "DENY", messages: [answer] };
    if (isRecord(answer) && typeof answer["identifier"] === "string") {
      const { attrs } = answer;
      const kept = isRecord(attrs)
        ? (attrs as Readonly<Record<string, string>>)
        : meta.source.attrs;
      const source = { identifier: answer["identifier"], attrs: kept };
      const same = source.identifier === meta.source.identifier && attrs === undefined;
      return same ? { action: "ALLOW" } : { action: "CONVERT", source };
    }
    throw invalid(file, "it must answer true, false, words or a source");
  };
}

/** All must allow; the first that has more to say, says it. */
function inTurn(checks: readonly CheckSource[]): CheckSource {
  return async (meta, platform, call: Call) => {
    for (const check of checks) {
      const decision = await check(meta, platform, call);
      if (decision.action !== "ALLOW") return decision;
    }
    return { action: "ALLOW" };
  };
}

function invalid(what: string, why: string, cause?: unknown): KilnError {
  return new KilnError("FLAG_INVALID", `--policy: ${what}: ${why}`, { cause });
}
