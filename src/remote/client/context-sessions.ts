// Contexts that are lent under other names than `context`, as linked targets of one build have them.
import type { Attrs, Session } from "../../api/index.ts";
import { type Call, digestOf } from "../../base/index.ts";
import { withMembers } from "./other-members.ts";

/** BuildKit's name for the directory that a build's own files are in. */
const usualName = "context";

/** What a frontend has to be told so that it reads the directory that its attributes name. */
export type FrontendAttrs = (attrs: Attrs, call: Call) => Promise<Attrs>;

/**
 * BuildKit's frontend takes the context's address from the attribute that `contextkey` names, but lent files always from the
 * directory `context`. It can be told of another session to take them from (`local-sessionid:context`): `open` opens one, and
 * tells its id.
 */
export function ownContexts(
  session: Session,
  open: (session: Session, call: Call) => Promise<string>,
): FrontendAttrs {
  const ids = new Map<string, Promise<string>>();
  return async (attrs, call) => {
    const { contextkey: name = usualName, ...others } = attrs;
    if (name === usualName || attrs[name] !== undefined || session.directory(name) === undefined)
      return attrs;
    let id = ids.get(name);
    if (!id) {
      id = open(lendingAsContext(session, name), call);
      ids.set(name, id);
    }
    return { ...others, [`local-sessionid:${usualName}`]: await id };
  };
}

function lendingAsContext(session: Session, name: string): Session {
  const nameOf = (asked: string) => (asked === usualName ? name : asked);
  return withMembers(session, {
    // Builders compare files with those that they were lent under this key before, by size and time.
    sharedKey: digestOf(`${session.sharedKey ?? ""}\0${session.directory(name) ?? name}`),
    files: (asked, filter, call) => session.files(nameOf(asked), filter, call),
    directory: (asked) => session.directory(nameOf(asked)),
  });
}
