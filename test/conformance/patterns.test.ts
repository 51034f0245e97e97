// .dockerignore matching and reading, and git addresses, against the neighbours' answers.
import {
  fragmentForm,
  isGitTransport,
  parseGitReference,
  parseGitUrl,
} from "../../src/formats/git/index.ts";
import { compilePatterns, readIgnoreFile } from "../../src/formats/patterns/index.ts";
import { checkRows, differs } from "./rows.ts";

checkRows("ignore-patterns", (row) => {
  const { error, exclusions, results } = row.out as {
    readonly error?: string;
    readonly exclusions?: boolean;
    readonly results?: Readonly<Record<string, unknown>>;
  };
  let matcher: ReturnType<typeof compilePatterns>;
  try {
    matcher = compilePatterns(row["patterns"] as readonly string[]);
  } catch (thrown) {
    return error === undefined ? `refused: ${String(thrown)}` : undefined;
  }
  if (error !== undefined) return `accepted, expected ${error}`;
  const answers = (row["paths"] as readonly string[]).map((path) => [
    path,
    { matches: matcher.matchesOld(path), matchesOrParent: matcher.matchesOrParent(path) },
  ]);
  return differs(
    { exclusions, results },
    { exclusions: matcher.hasExceptions, results: Object.fromEntries(answers) },
  );
});

checkRows("dockerignore-files", (row) => {
  const patterns = readIgnoreFile(new TextEncoder().encode(String(row["content"])));
  return differs(row.out, { patterns });
});

checkRows("git-urls", (row) => {
  const input = String(row["input"]);
  const out = row.out as Readonly<Record<string, unknown>>;
  const url = parseGitUrl(input);
  const parsed = parseGitReference(input);
  const { refError, urlError, ...expected } = out;
  const actual: Record<string, unknown> = {
    isGit: parsed.kind !== "not-git",
    isTransport: isGitTransport(input),
  };
  if (typeof url !== "string") {
    const query = url.query.size === 0 ? null : Object.fromEntries(url.query);
    const opts = url.fragment && { Ref: url.fragment.ref, Subdir: url.fragment.subdir };
    const { host, path, remote, scheme, user } = url;
    actual["url"] = { host, path, query, remote, scheme, user, opts };
  }
  if (parsed.kind === "git") {
    const { reference } = parsed;
    actual["fragment"] = fragmentForm(reference);
    actual["ref"] = {
      Remote: reference.remote,
      ShortName: reference.shortName,
      Ref: reference.ref,
      Checksum: reference.checksum,
      SubDir: reference.subdir,
      IndistinguishableFromLocal: reference.indistinguishableFromLocal,
      UnencryptedTCP: reference.unencryptedTcp,
      KeepGitDir: reference.keepGitDir ?? null,
      Submodules: reference.submodules ?? null,
      MTime: reference.mtime,
      FetchByCommit: reference.fetchByCommit,
    };
  }
  if ((refError === undefined) !== (parsed.kind === "git"))
    return `refError ${String(refError)}, ours ${JSON.stringify(parsed)}`;
  if ((urlError === undefined) !== (typeof url !== "string"))
    return `urlError ${String(urlError)}, ours ${JSON.stringify(url)}`;
  return differs(expected, actual);
});
