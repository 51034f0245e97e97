// LLB's SourceOp: asks the source of the identifier's scheme.
import type { Session } from "../../api/index.ts";
import { closest, KilnError } from "../../base/index.ts";
import type { SourceOp } from "../../formats/llb/index.ts";
import type { Platform } from "../../formats/oci/index.ts";
import type { Op } from "../solver/index.ts";
import type { ResolvedSource, Source, SourceId } from "../source/index.ts";
import { unlimited } from "./permits.ts";
import type { OpResult } from "./result.ts";

/** Sources by scheme. */
export type Sources = ReadonlyMap<string, Source>;

export function createSourceOp(
  op: SourceOp,
  platform: Platform,
  sources: Sources,
  session: Session,
  onPin: (pin: string) => void = () => {},
): Op<OpResult> {
  const { source, id } = findSource(op, platform, sources);
  const lender = lenderOf(op, session);
  let resolved: ResolvedSource | undefined;
  return {
    acquire: unlimited,
    async cacheMap(call) {
      resolved ??= await source.resolve(id, lender, call);
      onPin(resolved.pin);
      return { digest: resolved.cacheKey, inputs: [] };
    },
    async exec(_inputs, call) {
      resolved ??= await source.resolve(id, lender, call);
      return [await resolved.fetch(call)];
    },
  };
}

/** A lent directory may be another session's than that which asked for the build: several builds share it then. */
function lenderOf({ identifier, attrs }: SourceOp, session: Session): Session {
  const id = identifier.startsWith("local://") ? attrs["local.session"] : undefined;
  return (id && session.peer?.(id)) || session;
}

/** The source of the identifier's scheme. Throws `UNSUPPORTED` where there is none. */
export function findSource(
  op: SourceOp,
  platform: Platform,
  sources: Sources,
): { readonly source: Source; readonly id: SourceId } {
  const cut = op.identifier.indexOf("://");
  const scheme = op.identifier.slice(0, Math.max(0, cut));
  const source = sources.get(scheme);
  if (!source) throw unknownScheme(op.identifier, scheme, sources);
  const id = { scheme, rest: op.identifier.slice(cut + 3), attrs: op.attrs, platform };
  return { source, id };
}

function unknownScheme(identifier: string, scheme: string, sources: Sources): KilnError {
  const near = closest(scheme, sources.keys());
  return new KilnError("UNSUPPORTED", `no source for ${identifier}`, {
    hint: near ? `Did you mean ${near}://?` : `Known schemes: ${[...sources.keys()].join(", ")}.`,
  });
}
