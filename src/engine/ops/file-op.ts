// LLB's FileOp: copy, make and remove files in a new layer, without a container.
import type { StepCall } from "../../api/index.ts";
import { AsyncStack, type Call, digestOf, isAbortError } from "../../base/index.ts";
import {
  type FileAction,
  type FileOp,
  type FileRef,
  fileIdentity,
  type Owner as OwnerWords,
} from "../../formats/llb/index.ts";
import type { ActiveSnapshot, Mount, Snapshot, Snapshotter } from "../../storage/snapshot/index.ts";
import { withMounted } from "../../storage/snapshot/index.ts";
import type { CacheMap, Op } from "../solver/index.ts";
import { ContentLister } from "../source/index.ts";
import type { FailedExec } from "./exec-op.ts";
import { actionError } from "./file/action-errors.ts";
import { makeDirectory, makeFile, makeSymlink, performCopy, remove } from "./file/actions.ts";
import type { EarlierCopies, EarlierCopy, RunningCopy } from "./file/earlier-copy.ts";
import { resolveOwner } from "./file/owner.ts";
import { selectedContent } from "./file/selected-content.ts";
import type { FileView } from "./file/view.ts";
import { unlimited } from "./permits.ts";
import type { OpResult } from "./result.ts";
import { withView, withViews } from "./views.ts";

export function createFileOp(
  op: FileOp,
  encoded: Uint8Array,
  inputCount: number,
  { snapshotter, copies, onFailure }: FileOpParts,
): Op<OpResult> {
  return {
    acquire: unlimited,
    cacheMap: async () => fileCacheMap(encoded, inputCount),
    exec: async (inputs, call) => {
      await using copy = await beginCopy(op, encoded, inputs, copies, call);
      await using run = new FileRun(op, inputs, snapshotter, copy);
      const outputs = await run.perform(call, onFailure);
      const [made] = outputs;
      if (made) copy?.remember(made);
      return outputs;
    },
  };
}

export interface FileOpParts {
  readonly snapshotter: Snapshotter;
  readonly copies?: EarlierCopies;
  /** Told of an action that failed; what it is given becomes its own. */
  readonly onFailure?: (failed: FailedExec) => void;
}

/** Fewer files than this are copied sooner than it is found out which of them are new. */
const worthRemembering = 512;

/** Of an op that is one copy from a large directory of the asking side: what its last run made. */
async function beginCopy(
  { actions }: FileOp,
  encoded: Uint8Array,
  inputs: readonly OpResult[],
  copies: EarlierCopies | undefined,
  call: Call,
): Promise<RunningCopy | undefined> {
  const [only] = actions;
  if (!copies || actions.length !== 1 || only?.source?.from !== "input") return undefined;
  const tree = inputs[only.source.index]?.tree;
  if (!tree || tree.entries.length < worthRemembering) return undefined;
  // Without the inputs' digests: a context is another one in every build.
  const what = digestOf(fileIdentity(encoded, inputs.length).text);
  return await copies.begin(what, tree.directory, call);
}

/** The base of an action counts by its history; what is copied from counts by its content. */
function fileCacheMap(encoded: Uint8Array, inputCount: number): CacheMap<OpResult> {
  const { text, selectors } = fileIdentity(encoded, inputCount);
  return {
    digest: digestOf(text),
    inputs: Array.from({ length: inputCount }, (_, input) => {
      const selected = selectors.get(input);
      if (!selected) return {};
      const lister = new ContentLister();
      const paths = selected.map(({ path }) => path).sort();
      return {
        selector: digestOf(paths.reverse().join("\0")),
        contentDigest: (result: OpResult, call: Call) =>
          withView(result, call, (view) => selectedContent(view, selected, lister, call)),
        listing: () => lister.listing(),
      };
    }),
  };
}

/** One execution: what an action made is committed only when an output or a second reader needs it. */
class FileRun implements AsyncDisposable {
  readonly #op: FileOp;
  readonly #inputs: readonly OpResult[];
  readonly #snapshotter: Snapshotter;
  /** By the action that last wrote to it. */
  readonly #open = new Map<number, ActiveSnapshot>();
  readonly #committed = new Map<number, Snapshot>();
  readonly #earlier: EarlierCopy | undefined;

  constructor(
    op: FileOp,
    inputs: readonly OpResult[],
    snapshotter: Snapshotter,
    earlier: EarlierCopy | undefined,
  ) {
    this.#op = op;
    this.#inputs = inputs;
    this.#snapshotter = snapshotter;
    this.#earlier = earlier;
  }

  async perform(call: StepCall, onFailure: FileOpParts["onFailure"]): Promise<readonly OpResult[]> {
    for (const [index, action] of this.#op.actions.entries()) {
      try {
        this.#open.set(index, await this.#activeFor(action.base, index, call));
        await this.#performOne(index, action, call);
      } catch (error) {
        if (onFailure && !isAbortError(error)) onFailure(await this.#failed(index, call));
        throw error;
      }
    }
    const outputs: OpResult[] = [];
    for (const [index, { output }] of this.#op.actions.entries()) {
      if (output !== undefined) outputs[output] = (await this.#commit(index, call)).clone();
    }
    return outputs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using all = new AsyncStack();
    for (const one of [...this.#open.values(), ...this.#committed.values()]) all.use(one);
  }

  /** The files as the action that failed left them. */
  async #failed(index: number, call: Call): Promise<FailedExec> {
    const states: OpResult[] = this.#op.actions.map(() => undefined);
    // Telling must not hide why the action failed.
    const left = this.#open.has(index) ? this.#commit(index, call) : undefined;
    states[index] = (await left?.catch(() => undefined))?.clone();
    const inputs = this.#inputs.map((one) => one?.clone());
    return { states, inputs, subject: { kind: "file", index } };
  }

  /** The previous action's layer goes on being written where this action is its only user. */
  async #activeFor(base: FileRef | undefined, index: number, call: Call): Promise<ActiveSnapshot> {
    if (base?.from === "action" && this.#isOnlyUser(base.index, index)) {
      const open = this.#open.get(base.index);
      this.#open.delete(base.index);
      if (open) return open;
    }
    return this.#snapshotter.active(await this.#result(base, call), call);
  }

  #isOnlyUser(made: number, user: number): boolean {
    const isIt = (ref: FileRef | undefined) => ref?.from === "action" && ref.index === made;
    const users = this.#op.actions.flatMap((action, index) =>
      [action.base, action.source].filter(isIt).map(() => index),
    );
    return this.#op.actions[made]?.output === undefined && users.length === 1 && users[0] === user;
  }

  /** Lent: an input of the op, or an earlier action's files. */
  async #result(ref: FileRef | undefined, call: Call): Promise<OpResult> {
    if (!ref) return undefined;
    return ref.from === "input" ? this.#inputs[ref.index] : this.#commit(ref.index, call);
  }

  async #commit(index: number, call: Call): Promise<Snapshot> {
    const committed = this.#committed.get(index);
    if (committed) return committed;
    const active = this.#open.get(index);
    if (!active) throw new Error(`file action ${index} has no result`);
    const snapshot = await active.commit(call);
    this.#open.delete(index);
    this.#committed.set(index, snapshot);
    return snapshot;
  }

  async #performOne(index: number, { action, source }: FileAction, call: StepCall): Promise<void> {
    const active = this.#open.get(index);
    if (!active) return;
    const from = await this.#result(source, call);
    const owners = "owner" in action ? inputsOf(action.owner) : [];
    const lent = [from, ...owners.map((input) => this.#inputs[input])];
    await withViews(lent, call, async ([sourceView, ...ownerViews]) => {
      const viewOf = (input: number): FileView | undefined => ownerViews[owners.indexOf(input)];
      const warn = (message: string) =>
        call.emit({ type: "warning", step: call.step, warning: { message }, at: new Date() });
      const owner = "owner" in action ? resolveOwner(action.owner, { viewOf, warn }) : undefined;
      const mounts = await active.mounts(call);
      await withMounted(mounts, call, async (root) => {
        const shortcuts = {
          ...upperOf(mounts),
          ...(this.#earlier ? { earlier: this.#earlier } : {}),
        };
        try {
          if (action.kind === "copy")
            await performCopy(action, sourceView, root, owner, call, shortcuts);
          else if (action.kind === "mkfile") makeFile(root, action, owner);
          else if (action.kind === "mkdir") makeDirectory(root, action, owner);
          else if (action.kind === "symlink") makeSymlink(root, action, owner);
          else remove(root, action);
        } catch (error) {
          throw actionError(error, [root, ...(sourceView ? [sourceView.hostPath("/")] : [])]);
        }
      });
    });
  }
}

/** Where an overlay keeps what is new. */
function upperOf([mount]: readonly Mount[]): { readonly upper?: string } {
  return mount?.type === "overlay" && mount.upper !== undefined ? { upper: mount.upper } : {};
}

function inputsOf(owner: OwnerWords | undefined): number[] {
  return [owner?.user, owner?.group].flatMap((id) =>
    id && "name" in id && id.input !== undefined ? [id.input] : [],
  );
}
