// A session that lends something else under some of its members.
import type { Session } from "../../api/index.ts";

/** Everything else is the session's own; it stays its owner's. */
export function withMembers(session: Session, members: Partial<Session>): Session {
  return new Proxy(session, {
    get(target, name) {
      if (Object.hasOwn(members, name)) return Reflect.get(members, name);
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
