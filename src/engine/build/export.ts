// Handing a solved result to the exporters that were asked for.
import type { Attrs, BuildResult, ExportRequest, Session } from "../../api/index.ts";
import { AsyncStack, abortable, type Call, closest, KilnError, runAll } from "../../base/index.ts";
import type { Exporter, SolvedResult } from "../exporter/index.ts";
import { type Emit, runStep } from "./step.ts";

/** An exporter with what was asked of it. */
export interface WantedExport {
  readonly exporter: Exporter;
  /** Without the name, and not yet pushed, where the frontend is to name the image (`name=*`). */
  readonly attrs: Attrs;
  /** All of them, once it is known how the frontend names the image. Throws `FLAG_INVALID` where it does not. */
  readonly named: (imageName: string | undefined) => Attrs;
  readonly title: string;
}

/** Throws `UNSUPPORTED` for types that do not exist. */
export function findExporters(
  requests: readonly ExportRequest[],
  exporters: ReadonlyMap<string, Exporter>,
): readonly WantedExport[] {
  return requests.map(({ type, attrs: given, tolerant }) => {
    const exporter = exporters.get(type);
    if (exporter) {
      const attrs = tolerant ? knownTo(exporter, given) : given;
      return { exporter, ...namedLater(attrs), title: `exporting to ${places[type] ?? type}` };
    }
    const near = closest(type, exporters.keys());
    throw new KilnError("UNSUPPORTED", `there is no output type ${JSON.stringify(type)}`, {
      hint: near
        ? `Did you mean type=${near}?`
        : `Known types: ${[...exporters.keys()].join(", ")}.`,
    });
  });
}

/** What BuildKit calls them. */
const places: Readonly<Record<string, string>> = {
  docker: "docker image format",
  local: "client directory",
  oci: "oci image format",
  tar: "client tarball",
};

function knownTo(exporter: Exporter, attrs: Attrs): Attrs {
  return Object.fromEntries(Object.entries(attrs).filter(([name]) => exporter.knows(name)));
}

function namedLater(attrs: Attrs): Pick<WantedExport, "attrs" | "named"> {
  const { name, push, ...rest } = attrs;
  if (name !== "*") return { attrs, named: () => attrs };
  return {
    attrs: rest,
    named(imageName) {
      if (imageName) return { ...attrs, name: imageName };
      throw new KilnError(
        "FLAG_INVALID",
        "output attribute name=*: the build does not name its image",
        {
          hint: "Name it: name=registry.example.com/app:1.",
        },
      );
    },
  };
}

/** Refusals that are certain already: before any work, every target is asked whether it would take the result. */
export async function checkExports(
  wanted: readonly WantedExport[],
  session: Session,
  call: Call,
): Promise<void> {
  await runAll(
    wanted,
    async ({ exporter, attrs }, checking) => exporter.check?.(attrs, session, checking),
    call,
  );
}

export interface ExportedResult extends Pick<BuildResult, "descriptor" | "images"> {
  readonly attrs: Attrs;
}

/** Every exporter is one step: it prepares, waits until all others could prepare too, and only then finishes. */
export async function exportResult(
  wanted: readonly WantedExport[],
  result: SolvedResult,
  session: Session,
  { emit, now }: { readonly emit: Emit; readonly now: () => Date },
  call: Call,
): Promise<ExportedResult> {
  await using prepared = new AsyncStack();
  const allPrepared = createBarrier(wanted.length);
  const finished = await runAll(
    wanted.map((one, index) => ({ ...one, index, key: `export ${index}` })),
    ({ exporter, named, title, index, key }, exporting) =>
      runStep(
        { name: title, key, emit, now },
        async (step) => {
          const attrs = named(result.imageName);
          const one = prepared.use(
            await exporter.prepare({ ...result, output: index }, attrs, session, step),
          );
          await abortable(allPrepared(), step);
          return { attrs: await one.finish(step), one };
        },
        exporting,
      ),
    call,
  );
  for (const { one } of finished) one.keep?.();
  const descriptor = finished.map(({ one }) => one.descriptor).find((one) => one !== undefined);
  const attrs: Attrs = Object.assign({}, ...finished.map((one) => one.attrs));
  const images = finished.flatMap(({ one }) => (one.documents ? [one.documents] : []));
  return { attrs, images, ...(descriptor ? { descriptor } : {}) };
}

/** Resolves for everybody when `count` have come. */
function createBarrier(count: number): () => Promise<void> {
  let coming = count;
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    coming--;
    if (coming === 0) open();
    return opened;
  };
}
