// Decodes and checks a file op.
import type { pb } from "../proto/index.ts";
import { inputIndex, invalid, optional } from "./checks.ts";
import type { CopyAction, FileAction, FileOp, FileRef, Owner, OwnerId } from "./ops.ts";

/** Most actions of one file op. */
export const MAX_ACTIONS = 100_000;

const LAST_MODE = 0o7777;

export function decodeFile(message: pb.FileOp, inputs: number): FileOp {
  if (message.actions.length === 0) throw invalid("a file op has no actions");
  if (message.actions.length > MAX_ACTIONS)
    throw invalid(`a file op has more than ${MAX_ACTIONS} actions`);
  const actions = message.actions.map((action, at) => decodeFileAction(action, inputs, at));
  const outputs = actions
    .flatMap(({ output }) => (output === undefined ? [] : [output]))
    .sort((a, b) => a - b);
  if (outputs.length === 0 || outputs.some((output, at) => output !== at)) {
    throw invalid("the outputs of a file op are not numbered in a row");
  }
  return { kind: "file", actions, outputs: outputs.length };
}

function decodeFileAction(message: pb.FileAction, inputs: number, at: number): FileAction {
  const source = fileRef(message.secondaryInput, inputs, at);
  const action = decodeAction(message.action, inputs);
  return {
    ...optional("base", fileRef(message.input, inputs, at)),
    ...optional("source", action.kind === "copy" ? source : undefined),
    ...optional("output", message.output < 0 ? undefined : message.output),
    action,
  };
}

/** Indexes count the op's inputs first, then its actions; an action reads only from earlier ones. */
function fileRef(index: number, inputs: number, at: number): FileRef | undefined {
  if (index === -1) return undefined;
  if (!Number.isSafeInteger(index) || index < 0 || index >= inputs + at) {
    throw invalid(`file action ${at} reads from ${index}, which does not exist yet`);
  }
  return index < inputs ? { from: "input", index } : { from: "action", index: index - inputs };
}

function decodeAction(action: pb.FileAction["action"], inputs: number): FileAction["action"] {
  switch (action?.$case) {
    case undefined:
      throw invalid("a file action is empty or of a kind that is not known");
    case "copy":
      return decodeCopy(action.value, inputs);
    case "mkdir": {
      const { path, mode, makeParents, owner, timestamp } = action.value;
      return {
        kind: "mkdir",
        path,
        mode: checkMode(mode),
        makeParents,
        ...ownership(owner, timestamp, inputs),
      };
    }
    case "mkfile": {
      const { path, mode, data, owner, timestamp } = action.value;
      return {
        kind: "mkfile",
        path,
        mode: checkMode(mode),
        data,
        ...ownership(owner, timestamp, inputs),
      };
    }
    case "rm": {
      const { path, allowNotFound, allowWildcard } = action.value;
      return { kind: "rm", path, allowNotFound, allowWildcard };
    }
    case "symlink": {
      const { oldpath, newpath, owner, timestamp } = action.value;
      return {
        kind: "symlink",
        oldPath: oldpath,
        newPath: newpath,
        ...ownership(owner, timestamp, inputs),
      };
    }
  }
}

function decodeCopy(message: pb.FileActionCopy, inputs: number): CopyAction {
  return {
    kind: "copy",
    src: message.src,
    dest: message.dest,
    ...optional("mode", message.mode === -1 ? undefined : checkMode(message.mode)),
    ...optional("modeStr", message.modeStr === "" ? undefined : message.modeStr),
    followSymlink: message.followSymlink,
    dirCopyContents: message.dirCopyContents,
    attemptUnpack: message.attemptUnpackDockerCompatibility,
    createDestPath: message.createDestPath,
    allowWildcard: message.allowWildcard,
    allowEmptyWildcard: message.allowEmptyWildcard,
    includePatterns: message.includePatterns,
    excludePatterns: message.excludePatterns,
    alwaysReplaceExistingDestPaths: message.alwaysReplaceExistingDestPaths,
    requiredPaths: message.requiredPaths,
    ...ownership(message.owner, message.timestamp, inputs),
  };
}

function ownership(
  owner: pb.ChownOpt | undefined,
  timestamp: string,
  inputs: number,
): { owner?: Owner; timestamp?: bigint } {
  const user = owner?.user && decodeOwnerId(owner.user, inputs);
  const group = owner?.group && decodeOwnerId(owner.group, inputs);
  return {
    ...optional("owner", owner && { ...optional("user", user), ...optional("group", group) }),
    ...optional("timestamp", timestamp === "-1" ? undefined : BigInt(timestamp)),
  };
}

function decodeOwnerId(message: pb.UserOpt, inputs: number): OwnerId | undefined {
  if (message.user?.$case === "byID") return { id: message.user.value };
  if (message.user?.$case !== "byName") return undefined;
  const { name, input } = message.user.value;
  return { name, ...optional("input", inputIndex(input, inputs)) };
}

function checkMode(mode: number): number {
  if (mode < 0 || mode > LAST_MODE) throw invalid(`permission bits out of range: ${mode}`);
  return mode;
}
