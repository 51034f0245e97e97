// Contexts that another session lends, as linked targets of one build have them.
import type { Attrs, Session } from "../../api/index.ts";
import type { Call } from "../../base/index.ts";

/** BuildKit's attribute for the session that lends the directory that a build's own files are in. */
const contextSession = "local-sessionid:context";

/** What a frontend has to be told so that it reads the directory that its attributes name. */
export type FrontendAttrs = (attrs: Attrs, call: Call) => Promise<Attrs>;

/**
 * A session that `session` knows by its id is opened to the builder, which knows it by another one: `open` does so, once for
 * each, and tells that one.
 */
export function ownContexts(
  session: Session,
  open: (session: Session, call: Call) => Promise<string>,
): FrontendAttrs {
  const opened = new Map<string, Promise<string>>();
  return async (attrs, call) => {
    const id = attrs[contextSession];
    if (id === undefined) return attrs;
    let told = opened.get(id);
    if (!told) {
      const peer = session.peer?.(id);
      if (!peer) return attrs;
      told = open(peer, call);
      opened.set(id, told);
    }
    return { ...attrs, [contextSession]: await told };
  };
}
