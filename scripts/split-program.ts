// The command in two scripts: what every build needs, and the rest, which is read when something of it is first imported.
import { relative } from "node:path";
import { type BuildOptions, build, type ImportKind, type Metafile, type Plugin } from "esbuild";

/** One script, with a source map that names its source `NAME`. */
export interface BundledScript {
  readonly code: string;
  readonly map: string;
}

/**
 * What is imported only at run time and still belongs to the first script: a build imports it. All else that is imported so
 * goes into the second one.
 */
const forBuilds =
  /^(?:src\/cli\/commands\/(?:build\/|version\.ts)|src\/cli\/progress\/|src\/engine\/engine\.ts|src\/storage\/http\/|node_modules\/(?:lmdb|smol-toml)\/)/;

/**
 * Bundles `entry` twice. The first script runs it, and exports `shared`: its modules that the second needs, by the paths of
 * their sources. The second exports `modules`, its own. They require each other's as `shared:PATH` and `rest:PATH`.
 */
export async function splitProgram(
  options: BuildOptions & { readonly absWorkingDir: string },
  entry: string,
): Promise<readonly [first: BundledScript, rest: BundledScript]> {
  const { absWorkingDir: root, plugins = [] } = options;
  const whole = await build({ ...options, entryPoints: [entry], metafile: true, write: false });
  const parts = dividedInputs(whole.metafile as Metafile, entry);
  const list = (paths: ReadonlySet<string>) =>
    [...paths].map((path) => `${JSON.stringify(path)}: () => require("./${path}"),`).join("\n");
  const bundle = async (contents: string, plugin: Plugin): Promise<BundledScript> => {
    const { outputFiles } = await build({
      ...options,
      stdin: { contents, resolveDir: root, sourcefile: "program.js" },
      plugins: [plugin, ...plugins],
      sourcemap: true,
      sourcesContent: false,
      write: false,
    });
    const find = (end: string) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? "";
    return { code: find(".js"), map: find(".js.map") };
  };
  return [
    await bundle(
      `export const shared = {\n${list(parts.shared)}\n};\nrequire("./${entry}");\n`,
      elsewhere(root, "rest", (path, kind) => kind === "dynamic-import" && parts.later.has(path)),
    ),
    await bundle(
      `export const modules = {\n${list(parts.later)}\n};\n`,
      elsewhere(root, "shared", (path, kind) => kind !== "entry-point" && parts.first.has(path)),
    ),
  ];
}

interface Parts {
  /** Sources of the first script. */
  readonly first: ReadonlySet<string>;
  /** Those of them that sources of the second one import. */
  readonly shared: ReadonlySet<string>;
  /** What of the second script is imported at run time. */
  readonly later: ReadonlySet<string>;
}

function dividedInputs({ inputs }: Metafile, entry: string): Parts {
  const importsOf = (path: string) =>
    (inputs[path]?.imports ?? []).filter(({ external, path: to }) => !external && to in inputs);
  const gather = (
    roots: Iterable<string>,
    follows: (one: { path: string; kind: string }) => boolean,
  ) => {
    const found = new Set(roots);
    for (const path of found)
      for (const one of importsOf(path)) if (follows(one)) found.add(one.path);
    return found;
  };
  const first = gather(
    [entry],
    ({ path, kind }) => kind !== "dynamic-import" || forBuilds.test(path),
  );
  const all = Object.keys(inputs);
  const later = new Set(
    all
      .flatMap(importsOf)
      .flatMap(({ path, kind }) => (kind === "dynamic-import" && !first.has(path) ? [path] : [])),
  );
  const rest = gather(later, ({ path }) => !first.has(path));
  const shared = new Set(
    [...rest].flatMap(importsOf).flatMap(({ path }) => (first.has(path) ? [path] : [])),
  );
  return { first, shared, later };
}

/** Leaves imports of what the other script has to whoever runs the scripts, as `SCHEME:PATH`. */
function elsewhere(
  root: string,
  scheme: string,
  isThere: (path: string, kind: ImportKind) => boolean,
): Plugin {
  return {
    name: `elsewhere-${scheme}`,
    setup(building) {
      building.onResolve({ filter: /.*/ }, async ({ path, pluginData, ...more }) => {
        if (pluginData === scheme || path.startsWith("node:")) return null;
        const found = await building.resolve(path, { ...more, pluginData: scheme });
        if (found.errors.length > 0 || found.external || found.namespace !== "file") return found;
        const name = relative(root, found.path);
        return isThere(name, more.kind) ? { path: `${scheme}:${name}`, external: true } : found;
      });
    },
  };
}
