// What a step is, as fields for people: command, variables, mounts, actions on files.
import { digestHex, digestOf } from "../../base/index.ts";
import type { ExecMount, ExecOp, FileAction, LlbVertex } from "../../formats/llb/index.ts";

export type StepFields = Readonly<Record<string, string>>;

/** Longer values are cut; whether they differ is still known by their digest. */
const longestValue = 2000;

/** Values of variables that are called like this are remembered by their digest alone. */
const secretName = /pass(word|wd)?|token|secret|credential|private|api_?key|auth/i;

/** The fields of an op that has inputs; empty for sources, which are known by their identifier. */
export function stepFields({ op }: LlbVertex): StepFields {
  switch (op.kind) {
    case "exec":
      return limited(execFields(op));
    case "file":
      return limited(fileFields(op.actions));
    default:
      return {};
  }
}

/** What stands for a value that is not to be told. */
export function isHidden(value: string): boolean {
  return value.startsWith("(hidden ");
}

function execFields(op: ExecOp): Record<string, string> {
  const shell = op.args.length === 3 && op.args[1] === "-c";
  const variables = op.env.map((one): [string, string] => {
    const cut = one.indexOf("=");
    const [name, value] = [one.slice(0, cut), one.slice(cut + 1)];
    const hidden = secretName.test(name);
    return [`variable ${name}`, hidden ? `(hidden ${shortHash(value)})` : value];
  });
  const mounts = op.mounts
    .filter((mount) => mount.target !== "/")
    .map((mount): [string, string] => [`mount ${mount.target}`, describeMount(mount)]);
  return {
    command: shell ? (op.args[2] ?? "") : JSON.stringify(op.args),
    ...(shell ? { shell: op.args[0] ?? "" } : {}),
    "working directory": op.cwd,
    user: op.user,
    "host name": op.hostname,
    network: op.network,
    security: op.security,
    hosts: op.extraHosts.map(({ host, ip }) => `${host}=${ip}`).join(" "),
    ulimits: op.ulimits.map(({ name, soft, hard }) => `${name}=${soft}:${hard}`).join(" "),
    "secret variables": op.secretEnv.map(({ id, name }) => `${name}=${id}`).join(" "),
    ...Object.fromEntries([...variables, ...mounts]),
  };
}

function describeMount(mount: ExecMount): string {
  const { type, selector, readonly, cache, tmpfsSize, secret, ssh } = mount;
  const lent = secret ?? ssh;
  const parts = [
    type,
    selector ? `source ${selector}` : "",
    readonly ? "read-only" : "",
    cache ? `id ${cache.id} ${cache.sharing}` : "",
    tmpfsSize ? `${tmpfsSize} bytes` : "",
    lent ? `id ${lent.id} ${lent.mode.toString(8)} ${lent.uid}:${lent.gid}` : "",
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function fileFields(actions: readonly FileAction[]): Record<string, string> {
  return Object.fromEntries(
    actions.map(({ action }, index) => [
      actions.length === 1 ? "action" : `action ${index + 1}`,
      describeAction(action),
    ]),
  );
}

function describeAction(action: FileAction["action"]): string {
  switch (action.kind) {
    case "copy": {
      const { src, dest, owner, mode, modeStr, includePatterns, excludePatterns } = action;
      const more = [
        owner ? `owner ${ownerText(owner)}` : "",
        modeStr ? `mode ${modeStr}` : mode === undefined ? "" : `mode ${mode.toString(8)}`,
        includePatterns.length > 0 ? `only ${includePatterns.join(" ")}` : "",
        excludePatterns.length > 0 ? `without ${excludePatterns.join(" ")}` : "",
      ];
      return [`copy ${src} to ${dest}`, ...more.filter((part) => part !== "")].join(", ");
    }
    case "mkfile":
      return `make ${action.path} ${action.mode.toString(8)}, ${action.data.length} bytes ${shortHash(action.data)}`;
    default: {
      const { kind, ...rest } = action;
      return `${kind} ${JSON.stringify(rest, (_key, value) => (typeof value === "bigint" ? `${value}` : value))}`;
    }
  }
}

function ownerText(owner: unknown): string {
  return JSON.stringify(owner, (key, value) => (key === "input" ? undefined : value));
}

function shortHash(data: string | Uint8Array): string {
  return digestHex(digestOf(data)).slice(0, 12);
}

/** Without empty fields; long values keep their beginning and their digest. */
function limited(fields: Record<string, string>): StepFields {
  const entries = Object.entries(fields).filter(([, value]) => value !== "");
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      value.length <= longestValue
        ? value
        : `${value.slice(0, longestValue)}… (${value.length} characters, ${shortHash(value)})`,
    ]),
  );
}
