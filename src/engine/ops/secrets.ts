// Secrets and SSH agents for a step: fetched from the asking side when the step starts, never kept.
import type { Session } from "../../api/index.ts";
import { type Call, isKilnError, KilnError } from "../../base/index.ts";
import type { ExecOp, ExecMount as LlbMount } from "../../formats/llb/index.ts";
import type { ExecMount } from "../executor/index.ts";

/** The file that a secret mount shows; undefined when an optional secret was not given. Throws when a needed one is missing. */
export async function fileFromSecret(
  mount: LlbMount,
  session: Session,
  call: Call,
): Promise<ExecMount["what"] | undefined> {
  const secret = mount.secret;
  if (!secret)
    throw new KilnError("DEFINITION_INVALID", `secret mount at ${mount.target} names no secret`);
  const data = await session.secret(secret.id, call);
  if (data)
    return { type: "file", data, mode: secret.mode & 0o777, uid: secret.uid, gid: secret.gid };
  if (secret.optional) return undefined;
  throw missing(secret.id);
}

/** The socket that an SSH mount shows; undefined when an optional agent was not offered. Throws when a needed one is missing. */
export async function socketFromAgent(
  mount: LlbMount,
  session: Session,
  call: Call,
): Promise<ExecMount["what"] | undefined> {
  const { ssh } = mount;
  if (!ssh)
    throw new KilnError("DEFINITION_INVALID", `ssh mount at ${mount.target} names no agent`);
  const id = ssh.id || "default";
  const agent = await offeredAgent(id, ssh.optional, session, call);
  if (agent) {
    const { mode, uid, gid } = ssh;
    return { type: "socket", connect: () => agent.connect(), mode, uid, gid };
  }
  if (ssh.optional) return undefined;
  throw new KilnError(
    "SSH_FAILED",
    `no SSH agent ${JSON.stringify(id)} was offered to this build`,
    {
      hint: `Pass --ssh ${id}${id === "default" ? "" : "=SOCKET or KEY"}, or leave out required.`,
    },
  );
}

/** Whatever is said against an agent that is not needed, the step goes without. */
async function offeredAgent(
  id: string,
  optional: boolean,
  session: Session,
  call: Call,
): ReturnType<Session["ssh"]> {
  try {
    return await session.ssh(id, call);
  } catch (error) {
    if (!optional || !isKilnError(error)) throw error;
    return undefined;
  }
}

/** `NAME=value` for each secret that is wanted as a variable. */
export async function secretEnvironment(
  op: Pick<ExecOp, "secretEnv">,
  session: Session,
  call: Call,
): Promise<string[]> {
  const env: string[] = [];
  for (const { id, name, optional } of op.secretEnv) {
    const data = await session.secret(id, call);
    if (data) env.push(`${name}=${new TextDecoder().decode(data)}`);
    // As the reference does: programs see that it is empty, not that it is unset.
    else if (optional) env.push(`${name}=`);
    else throw missing(id);
  }
  return env;
}

function missing(id: string): KilnError {
  return new KilnError(
    "SECRET_NOT_FOUND",
    `secret ${id}: not found: it was not given to this build`,
    {
      hint: `Pass --secret id=${id},src=FILE or --secret id=${id},env=NAME.`,
    },
  );
}
